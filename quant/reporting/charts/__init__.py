"""SVG drawing without a library: scales, canvas, marks; `reporting.figures` is the front."""
