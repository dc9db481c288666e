"""One file a data source, behind one interface."""
