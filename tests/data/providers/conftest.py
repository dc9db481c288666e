"""The vendor libraries keep their caches away from the user's home during tests."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def yfinance_cache(tmp_path_factory):
    import yfinance
    from yfinance import cache

    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("py-yfinance")))
    yield
    for manager in (cache._TzDBManager, cache._CookieDBManager, cache._ISINDBManager):
        manager.close_db()
