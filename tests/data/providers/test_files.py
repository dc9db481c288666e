from datetime import date

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import ConfigError, DataError
from quant.data import calendar
from quant.data.providers.base import TABLES
from quant.data.providers.files import Files
from quant.data.providers.layout import layout_from

START, END = date(2019, 1, 1), date(2019, 6, 30)
US = calendar.sessions("us", START, END)
STANDARD = {"bars": [{"path": "bars.*"}]}
TABLES_BESIDE = ("actions", "industries", "index_members", "listings", "benchmark", "rates")


def bars(days=US, symbols=("AAA", "BBB"), **columns) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(day, symbol) for symbol in symbols for day in days], columns=["date", "symbol"]
    )
    frame["date"] = frame["date"].astype("datetime64[ns]")
    for name in ("open", "high", "low", "close"):
        frame[name] = 10.0
    frame["volume"] = 1000.0
    frame["split"] = 1.0
    for name, value in columns.items():
        frame[name] = value
    return frame


def fetch(folder, frame, region="us", layout=None, name="bars.csv", **tables):
    folder.mkdir(exist_ok=True)
    write(folder / name, frame)
    for table, content in tables.items():
        write(folder / f"{table}.csv", content)
    given = dict(layout or STANDARD)
    for table in tables:
        given.setdefault(table, {"path": f"{table}.csv"})
    return Files(layout_from(given, folder, region)).fetch(START, END)


def write(path, frame):
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_both_formats_give_the_same_tables(tmp_path, name):
    raw = fetch(tmp_path, bars(), name=name)
    for table, schema in TABLES.items():
        schema.check(getattr(raw, table))
    assert len(raw.bars) == 2 * US.size
    assert raw.bars[["date", "symbol"]].values.tolist() == sorted(
        raw.bars[["date", "symbol"]].values.tolist()
    )
    assert raw.bars["amount"].eq(10_000.0).all()
    assert raw.bars["factor"].eq(1.0).all()
    assert raw.bars["limit_up"].isna().all()


def test_dates_as_numbers_and_symbols_with_leading_zeros(tmp_path):
    days = calendar.sessions("cn", START, END)
    frame = bars(days, symbols=("000001.SZ",))
    frame["date"] = frame["date"].dt.strftime("%Y%m%d").astype(int)
    raw = fetch(tmp_path, frame, region="cn")
    assert raw.bars["symbol"].unique().tolist() == ["000001.SZ"]
    assert calendar.days(raw.bars["date"]).tolist() == days.tolist()
    # 10 % either side of the reference price
    assert raw.bars["limit_up"].dropna().unique().tolist() == [11.0]


def test_columns_units_and_constants_are_mapped(tmp_path):
    frame = bars().rename(columns={"close": "Last", "volume": "Lots"})
    layout = {
        "bars": [
            {
                "path": "bars.csv",
                "columns": {
                    "date": "date",
                    "symbol": "symbol",
                    "open": "open",
                    "high": "high",
                    "low": "low",
                    "close": "Last",
                    "volume": "Lots",
                    "split": "split",
                },
                "units": {"volume": 100},
            }
        ]
    }
    raw = fetch(tmp_path, frame, layout=layout)
    assert raw.bars["volume"].eq(100_000.0).all()


def test_several_files_of_one_shape_are_one_history(tmp_path):
    frame = bars()
    frame.loc[frame["date"] >= "2019-04-01", "split"] = 1.0
    late = frame["date"] >= "2019-04-01"
    frame.loc[frame["date"] == "2019-04-01", "split"] = 2.0
    write(tmp_path / "bars-1.csv", frame[~late])
    write(tmp_path / "bars-2.csv", frame[late])
    layout = {"bars": [{"path": "bars-*.csv"}]}
    raw = Files(layout_from(layout, tmp_path, "us")).fetch(START, END)
    assert raw.bars.loc[raw.bars["date"] >= "2019-04-01", "factor"].eq(2.0).all()
    assert raw.bars.loc[raw.bars["date"] < "2019-04-01", "factor"].eq(1.0).all()


DAY = "2019-04-01"


def with_action(column: str, value: float, after: float) -> pd.DataFrame:
    frame = bars(symbols=("AAA",))
    frame.loc[frame["date"] >= DAY, ["open", "high", "low", "close"]] = after
    if column == "split":
        frame.loc[frame["date"] == DAY, "split"] = value
        return frame
    frame = frame.drop(columns="split")
    if column == "factor":
        frame["factor"] = np.where(frame["date"] >= DAY, 3.0 * value, 3.0)
    if column == "pre_close":
        frame["pre_close"] = frame["close"]
    if column == "dividend":
        frame["dividend"] = np.where(frame["date"] == DAY, value, 0.0)
    if column == "adj_close":
        frame["adj_close"] = 5.0
    return frame


@pytest.mark.parametrize(
    ("column", "value", "after"),
    [
        ("split", 2.0, 5.0),
        ("factor", 2.0, 5.0),
        ("pre_close", 2.0, 5.0),
        ("dividend", 5.0, 5.0),
        ("adj_close", 2.0, 5.0),
    ],
)
def test_the_factor_comes_from_whatever_there_is(tmp_path, column, value, after):
    raw = fetch(tmp_path, with_action(column, value, after))
    frame = raw.bars.set_index("date")
    assert frame.loc[:"2019-03-29", "factor"].eq(1.0).all()
    np.testing.assert_allclose(frame.loc[DAY:, "factor"], 2.0)
    assert frame.loc[DAY, "pre_close"] == pytest.approx(5.0)
    if column in ("split", "dividend"):
        assert raw.actions[column].tolist() == [value]


def test_the_factor_is_one_at_the_first_row_of_the_dates_asked_for(tmp_path):
    write(tmp_path / "bars.csv", with_action("split", 2.0, 5.0))
    provider = Files(layout_from(STANDARD, tmp_path, "us"))
    late = provider.fetch(date(2019, 5, 1), END).bars
    assert late["factor"].eq(1.0).all()
    # the previous close is known though it is before the first day
    assert late["pre_close"].iloc[0] == 5.0


def test_actions_in_a_file_of_their_own(tmp_path):
    frame = with_action("split", 1.0, 5.0).drop(columns="split")
    actions = pd.DataFrame({"date": [DAY], "symbol": ["AAA"], "split": [2.0], "dividend": [0.0]})
    raw = fetch(tmp_path, frame, actions=actions)
    assert raw.bars.set_index("date").loc[DAY, "factor"] == 2.0
    with pytest.raises(DataError, match="actions has two rows for AAA on 2019-04-01"):
        fetch(tmp_path, frame, actions=pd.concat([actions, actions]))


def test_adjusted_sources_have_the_factor_one(tmp_path):
    layout = {"bars": [{"path": "bars.csv", "convention": "adjusted"}]}
    raw = fetch(tmp_path, bars().drop(columns="split"), layout=layout)
    assert raw.bars["factor"].eq(1.0).all()


def test_without_any_adjustment_the_source_is_refused(tmp_path):
    with pytest.raises(DataError, match="no factor, pre_close, dividend, split or adj_close"):
        fetch(tmp_path, bars().drop(columns="split"))


def test_suspended_days_are_absent(tmp_path):
    days = calendar.sessions("cn", START, END)
    frame = bars(days, symbols=("600000.SH", "600001.SH"))
    frame.loc[5, "volume"] = 0.0
    frame.loc[6, ["open", "high", "low", "close"]] = np.nan
    raw = fetch(tmp_path, frame, region="cn")
    assert len(raw.bars) == len(frame) - 2
    assert "2 rows without a trade" in raw.notes.set_index("topic").loc["rows", "text"]


def test_unsorted_dates_are_sorted_and_said(tmp_path):
    raw = fetch(tmp_path, bars().sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(raw.bars, fetch(tmp_path, bars()).bars)
    assert "not in order" in raw.notes.set_index("topic").loc["rows", "text"]
    by_day = fetch(tmp_path, bars().sort_values(["date", "symbol"]))
    assert "rows" not in set(by_day.notes["topic"])


def broken(**changes):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for name, value in changes.items():
            frame[name] = frame[name].astype(object)
            frame.loc[7, name] = value
        return frame

    return change


BAD = {
    "missing column": (
        lambda f: f.drop(columns="close"),
        r"bars.csv has no column \['close'\].*layout.bars.columns",
    ),
    "text for a number": (broken(close="ten"), "close is 'ten' in row 7, which is not a number"),
    "text for a date": (broken(date="someday"), "date is 'someday' in row 7.*write YYYY-MM-DD"),
    "no symbol": (broken(symbol=None), "symbol has 1 empty symbols"),
    "time zone": (
        lambda f: f.assign(date=f["date"].dt.tz_localize("UTC").astype(str)),
        "carries a time zone",
    ),
    "mixed time zone": (broken(date="2019-01-11T00:00:00+08:00"), "carries a time zone"),
    "time of day": (
        lambda f: f.assign(date=f["date"] + pd.Timedelta(hours=16)),
        "carries a time of day",
    ),
    "double row": (
        lambda f: pd.concat([f, f.iloc[[3]]]),
        "1 rows are double, the first for AAA on 2019-01-07",
    ),
    "negative price": (broken(low=-1.0), r"low is -1 for AAA on 2019-01-11 \(1 such rows\)"),
    "zero price": (broken(open=0.0), "open is 0 for AAA on 2019-01-11.*above zero"),
    "negative volume": (broken(volume=-5.0), "volume is -5 for AAA"),
    "negative dividend": (
        lambda f: broken(dividend=-1.0)(f.assign(dividend=0.0)),
        "dividend of AAA on 2019-01-11 is -1",
    ),
    "dividend above the price": (
        lambda f: broken(dividend=99.0)(f.assign(dividend=0.0)),
        "is 99 on a price of 10",
    ),
    "negative split": (broken(split=-2.0), "split.* above zero|splits are above zero"),
    "infinite price": (broken(close="inf"), "close is infinite in row 7"),
    "empty month": (
        lambda f: f[(f["date"] < "2019-03-01") | (f["date"] > "2019-03-31")],
        "the month 2019-03 is empty",
    ),
    "weekends": (
        lambda f: f.assign(date=f["date"] + pd.Timedelta(days=1)),
        "are no sessions of the exchange of region us",
    ),
    "no rows": (lambda f: f.iloc[:0], "has no rows"),
    "other years": (
        lambda f: f.assign(date=f["date"] - pd.Timedelta(days=3640)),
        "no rows from 2019-01-01 to 2019-06-30",
    ),
    "Chinese symbols": (
        lambda f: f.assign(symbol="600000.SH").drop_duplicates(["date"]),
        "region=us, but the data has 1 symbols such as '600000.SH'",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_bars_are_refused_with_a_clear_sentence(tmp_path, fault):
    change, sentence = BAD[fault]
    with pytest.raises(DataError, match=sentence):
        fetch(tmp_path, change(bars()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.assign(close=f["date"]), "close holds timestamp.* not be read as a number"),
        (lambda f: f.assign(close=[[1.0]] * len(f)), "close holds list.* not be read as a number"),
        (lambda f: f.assign(symbol=b"\xff"), "symbol holds binary.* not be read as text"),
        (lambda f: f.assign(close=np.inf), "close is infinite in row 0"),
        (lambda f: f.assign(date=0.5), "date holds double .* not be read as a date"),
    ],
)
def test_columns_of_a_strange_type_are_refused(tmp_path, change, sentence):
    with pytest.raises(DataError, match=sentence):
        fetch(tmp_path, change(bars()), name="bars.parquet")


def test_dates_as_floating_numbers(tmp_path):
    frame = bars()
    frame["date"] = frame["date"].dt.strftime("%Y%m%d").astype(float)
    raw = fetch(tmp_path, frame, name="bars.parquet")
    assert calendar.days(raw.bars["date"].drop_duplicates()).tolist() == US.tolist()


@pytest.mark.parametrize("row", ["2019-01-02,AAA,1,5,2,5,1,5,1,5,10,1", "2019-01-02,AAA,10,10"])
def test_a_row_of_another_length_than_the_header_is_refused(tmp_path, row):
    head = "date,symbol,open,high,low,close,volume,split"
    (tmp_path / "bars.csv").write_text(f"{head}\n2019-01-02,BBB,10,10,10,10,5,1\n{row}\n")
    with pytest.raises(DataError, match="bars.csv can not be read"):
        Files(layout_from(STANDARD, tmp_path, "us")).fetch(START, END)


BESIDE = {
    "benchmark": ({"date": [DAY], "close": [-1.0]}, "close is -1 in row 0.*above zero"),
    "rates": ({"date": [DAY], "rf": [4.5]}, "rf is 4.5 in row 0.*decimal a session"),
    "listings": (
        {"symbol": ["AAA"], "delist_date": [DAY], "delist_return": [-30]},
        "delist_return is -30 .*decimal",
    ),
    "index_members": (
        {"index": ["X"], "symbol": ["AAA"], "in_date": [DAY], "out_date": ["2001-01-01"]},
        "AAA has out_date 2001-01-01 before in_date 2019-04-01",
    ),
}


@pytest.mark.parametrize("table", BESIDE)
def test_bad_tables_beside_the_bars_are_refused(tmp_path, table):
    content, sentence = BESIDE[table]
    with pytest.raises(DataError, match=sentence):
        fetch(tmp_path, bars(), **{table: pd.DataFrame(content)})


def test_a_name_listed_twice_is_refused(tmp_path):
    twice = pd.DataFrame({"symbol": ["AAA", "AAA"], "list_date": ["2001-01-01", "2002-01-01"]})
    with pytest.raises(DataError, match="listings has two rows for AAA"):
        fetch(tmp_path, bars(), listings=twice)


def test_a_file_for_a_folder_and_a_folder_for_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is a file, not a folder; set data.root"):
        Files(layout_from(STANDARD, tmp_path / "file", "us")).fetch(START, END)
    (tmp_path / "bars.csv").mkdir()
    with pytest.raises(DataError, match="bars.csv is a folder, not a file"):
        Files(layout_from(STANDARD, tmp_path, "us")).fingerprint()


def test_us_symbols_are_refused_in_china(tmp_path):
    with pytest.raises(DataError, match="region=cn, but the data has 2 symbols such as 'AAA'"):
        fetch(tmp_path, bars(), region="cn")


def test_a_time_zone_in_parquet_is_refused(tmp_path):
    frame = bars()
    frame["date"] = frame["date"].dt.tz_localize("America/New_York")
    with pytest.raises(DataError, match=r"time zone \(America/New_York\)"):
        fetch(tmp_path, frame, name="bars.parquet")


def test_a_symbol_in_two_entries_is_refused(tmp_path):
    write(tmp_path / "a.csv", bars())
    write(tmp_path / "b.csv", bars(symbols=("BBB", "CCC")))
    layout = {"bars": [{"path": "a.csv"}, {"path": "b.csv"}]}
    with pytest.raises(DataError, match="BBB and 0 more symbols stand in two entries"):
        Files(layout_from(layout, tmp_path, "us")).fetch(START, END)


def test_missing_folder_and_file(tmp_path):
    with pytest.raises(DataError, match="the data folder .*nowhere does not exist; set data.root"):
        Files(layout_from(STANDARD, tmp_path / "nowhere", "us")).fetch(START, END)
    with pytest.raises(DataError, match=r"bars: .*bars\.\* does not exist; put the file there"):
        Files(layout_from(STANDARD, tmp_path, "us")).fetch(START, END)
    (tmp_path / "bars.xlsx").write_text("x")
    with pytest.raises(DataError, match="neither .parquet nor .csv"):
        Files(layout_from(STANDARD, tmp_path, "us")).fetch(START, END)


@pytest.mark.parametrize(("name", "content"), [("bars.parquet", b"no"), ("bars.csv", b"\xff\xfe")])
def test_unreadable_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="can not be read|is not UTF-8"):
        Files(layout_from(STANDARD, tmp_path, "us")).fetch(START, END)


def test_the_tables_beside_the_bars(tmp_path):
    raw = fetch(
        tmp_path,
        bars(),
        industries=pd.DataFrame({"symbol": ["AAA"], "sector": ["Energy"], "industry": ["Oil"]}),
        index_members=pd.DataFrame(
            {"index": ["X"], "symbol": ["AAA"], "in_date": ["2018-01-01"], "out_date": [None]}
        ),
        listings=pd.DataFrame({"symbol": ["AAA"], "list_date": ["2001-02-03"]}),
        benchmark=pd.DataFrame(
            {"date": US.astype(str), "close": 100.0, "adj_close": np.linspace(90, 99, US.size)}
        ),
        rates=pd.DataFrame({"date": US.astype(str), "rf": 0.0001}),
    )
    for table, schema in TABLES.items():
        schema.check(getattr(raw, table))
    assert raw.industries["group_id"].tolist() == ["Energy"]
    assert raw.index_members["index"].tolist() == ["X"]
    assert raw.listings.set_index("symbol").loc["AAA", "list_date"] == pd.Timestamp("2001-02-03")
    assert raw.benchmark["total_return"].all()
    assert raw.benchmark["close"].iloc[-1] == 99.0
    assert raw.rates["rf"].eq(0.0001).all()
    assert "1 names have no industry" in raw.notes.set_index("topic").loc["industries", "text"]


def test_industries_without_any_label_are_refused(tmp_path):
    with pytest.raises(DataError, match="industries need either sector"):
        fetch(tmp_path, bars(), industries=pd.DataFrame({"symbol": ["AAA"]}))


def test_a_name_that_stops_is_delisted_and_a_source_that_ends_is_truncated(tmp_path):
    symbols = [f"S{n:02d}" for n in range(20)]
    frame = bars(symbols=symbols)
    gone = (frame["symbol"] == "S00") & (frame["date"] > "2019-03-15")
    mass = frame["symbol"].isin(symbols[1:7]) & (frame["date"] > "2019-04-15")
    frame = frame[~gone & ~mass]
    frame.loc[(frame["symbol"] == "S00") & (frame["date"] > "2019-02-15"), "close"] = 2.0
    listings = fetch(tmp_path, frame).listings.set_index("symbol")
    assert listings.loc["S00", "delist_date"] == pd.Timestamp("2019-03-15")
    assert not listings.loc["S00", "truncated"]
    # it fell by 80 %: a failure with unknown payout
    assert np.isnan(listings.loc["S00", "delist_return"])
    assert listings.loc["S01":"S06", "truncated"].all()
    assert listings.loc["S07":, "delist_date"].isna().all()


def test_the_fingerprint_follows_content_and_layout(tmp_path):
    write(tmp_path / "bars.csv", bars())
    first = Files(layout_from(STANDARD, tmp_path, "us")).fingerprint()
    assert Files(layout_from(STANDARD, tmp_path, "us")).fingerprint() == first
    adjusted = {"bars": [{"path": "bars.*", "convention": "adjusted"}]}
    assert Files(layout_from(adjusted, tmp_path, "us")).fingerprint() != first
    write(tmp_path / "bars.csv", bars(close=11.0))
    assert Files(layout_from(STANDARD, tmp_path, "us")).fingerprint() != first


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "names no bars"),
        ({"bars": [{}]}, "no path"),
        ({"bars": [{"path": "x", "colums": {}}]}, "colums"),
        ({"bars": [{"path": "x"}], "benchmrk": {}}, "benchmrk"),
        ({"bars": [{"path": "x", "columns": {"price": "p"}}]}, "'price' is not known"),
        ({"bars": [{"path": "x", "columns": {"date": "d"}}]}, "says no column for"),
        ({"bars": [{"path": "x", "convention": "half"}]}, "'half' is not one of"),
        ({"bars": [{"path": "x"}], "region": "cn"}, "region=us, but the layout .* region cn"),
    ],
)
def test_bad_layouts(tmp_path, given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        layout_from(given, tmp_path, "us")


def test_a_layout_needs_a_region(tmp_path):
    with pytest.raises(ConfigError, match="names no region"):
        layout_from(STANDARD, tmp_path)


def intraday(**columns) -> pd.DataFrame:
    frame = pd.DataFrame({"date": "2019-02-01", "symbol": "AAA", "minute": [5, 0], "price": 10.0})
    return frame.assign(volume=300.0).assign(**columns)


def test_intraday_bars_are_read_where_there_are_any(tmp_path):
    raw = fetch(tmp_path, bars(), intraday=intraday())
    assert raw.intraday["minute"].tolist() == [0, 5] and raw.intraday["volume"].sum() == 600
    TABLES["intraday"].check(raw.intraday)
    assert not len(fetch(tmp_path / "without", bars()).intraday)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"minute": [5, 5]}, "two rows for AAA on 2019-02-01, minute 5"),
        ({"price": [10.0, 0.0]}, "price is 0 in row 1"),
        ({"volume": [-1.0, 5.0]}, "volume is -1 in row 0"),
        ({"minute": [-1, 5]}, "minute is -1"),
    ],
)
def test_intraday_bars_that_can_not_be_are_refused(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        fetch(tmp_path, bars(), intraday=intraday(**columns))
