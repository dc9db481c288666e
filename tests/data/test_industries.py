import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.tables import INDUSTRIES
from quant.data import calendar, industries, shenwan
from tests.data.answers import RULES
from tests.shared import need

LISTS = RULES["11_sw_l1_lists"]
SCHEME_DAYS = np.array(list(shenwan.IN_FORCE.values())[1:])


def rows(*spells) -> pd.DataFrame:
    frame = pd.DataFrame(
        spells, columns=["symbol", "code", "detail", "scheme", "in_date", "out_date"]
    )
    for name in ("in_date", "out_date"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def on(frame: pd.DataFrame, symbol: str, day: str) -> str | None:
    spell = industries.snapshot(frame, np.array([symbol]), np.array([day], dtype="datetime64[D]"))
    return None if spell[0, 0] < 0 else frame["industry_id"].iloc[spell[0, 0]]


def indices(scheme: str) -> set[str]:
    return {shenwan.INDEX_CODES[code] for code in shenwan.CODES[scheme]}


def test_the_schemes_have_their_published_size_and_members():
    sizes = {scheme: len(codes) for scheme, codes in shenwan.CODES.items()}
    assert sizes == {
        "SW2011": 23,
        "SW2014": LISTS["expected"]["n2014"],
        "SW2021": LISTS["expected"]["n2021"],
    }
    asked = LISTS["inputs"]
    assert indices("SW2014") == set(asked["SW2014"])
    assert indices("SW2021") == set(asked["SW2021"])
    for index, code in asked["SW2021"].items():
        assert shenwan.FROM_INDEX[index] == code
    assert indices("SW2014") - indices("SW2021") == set(
        i.removesuffix(".SI") + ".SI" for i in LISTS["expected"]["removed"]
    )
    assert indices("SW2021") - indices("SW2014") == set(
        i.removesuffix(".SI") + ".SI" for i in LISTS["expected"]["added"]
    )


@pytest.mark.parametrize(
    ("day", "scheme"),
    [
        ("2013-12-31", "SW2011"),
        ("2014-01-01", "SW2014"),
        ("2021-12-12", "SW2014"),
        ("2021-12-13", "SW2021"),
    ],
)
def test_the_scheme_in_force(day, scheme):
    assert shenwan.scheme_on(np.datetime64(day)) == scheme


@pytest.mark.parametrize(
    ("code", "detail", "expected"),
    [
        ("430000", "", "430000"),
        ("440000", "440101", "480000"),
        ("440000", "440301", "490000"),
        ("440000", "", None),
        ("310000", "310302", None),
        ("999999", "", None),
    ],
)
def test_codes_of_2011_in_the_scheme_of_2014(code, detail, expected):
    assert shenwan.translate(code, detail, "SW2011", "SW2014") == expected


def test_a_later_scheme_says_nothing_about_earlier_days():
    assert shenwan.translate("480000", "", "SW2014", "SW2011") is None
    made = industries.point_in_time(
        rows(("000001.SZ", "480000", "480101", "SW2014", "2010-01-01", None))
    )
    assert on(made.frame, "000001.SZ", "2013-12-31") is None
    assert on(made.frame, "000001.SZ", "2014-01-02") == "swL1.480000"


def test_old_rows_are_translated_or_reported():
    made = industries.point_in_time(
        rows(
            ("600000.SH", "440000", "440101", "SW2011", "2005-01-01", None),
            ("600001.SH", "310000", "310301", "SW2011", "2005-01-01", None),
        )
    )
    assert on(made.frame, "600000.SH", "2013-12-31") == "swL1.440000"
    assert on(made.frame, "600000.SH", "2014-01-02") == "swL1.480000"
    assert on(made.frame, "600001.SH", "2014-01-02") == "swL1.unknown"
    assert "600001.SH 310000" in made.notes[0]
    assert "600000.SH" not in made.notes[0]
    INDUSTRIES.check(made.frame)


def test_overlapping_spells_never_give_two_industries():
    made = industries.point_in_time(
        rows(
            ("600000.SH", "430000", "", "SW2014", "2015-01-01", "2018-12-31"),
            ("600000.SH", "480000", "", "SW2014", "2016-01-01", None),
        )
    )
    assert made.frame["out_date"].iloc[0] == pd.Timestamp("2015-12-31")
    assert on(made.frame, "600000.SH", "2017-01-03") == "swL1.480000"


def test_bad_spells_are_refused():
    with pytest.raises(DataError, match="scheme 'SW2031' is not known"):
        industries.point_in_time(rows(("a", "430000", "", "SW2031", "2015-01-01", None)))
    with pytest.raises(DataError, match="ends on 2014-01-01 before it starts on 2015-01-01"):
        industries.point_in_time(rows(("a", "430000", "", "SW2014", "2015-01-01", "2014-01-01")))


def frozen(*triples) -> industries.Spells:
    symbols, sectors, names = (pd.Series(list(x), dtype=object) for x in zip(*triples, strict=True))
    return industries.frozen(symbols, sectors, names, "GICS")


def test_us_labels_are_frozen_and_their_ids_do_not_move():
    few = frozen(("JPM", "Financials", "Diversified Banks"))
    many = frozen(
        ("AAPL", "Information Technology", "Hardware"),
        ("BAC", "Financials", " diversified  banks"),
        ("JPM", "Financials", "Diversified Banks"),
        ("XYZ", "Energy", None),
        ("WHO", None, None),
    )
    ids = many.frame.set_index("symbol")["industry_id"]
    assert ids["JPM"] == few.frame["industry_id"].iloc[0] == ids["BAC"]
    assert ids["JPM"].startswith("Financials.")
    assert ids["XYZ"] == "Energy.0"
    assert (ids["WHO"], many.frame.set_index("symbol")["group_id"]["WHO"]) == (
        "Unknown.0",
        "Unknown",
    )
    assert on(many.frame, "AAPL", "2005-01-03") == on(many.frame, "AAPL", "2019-12-31")
    assert "1 of 5 names have none" in many.notes[0]
    INDUSTRIES.check(many.frame)


def test_churn_counts_changes_among_names_present_in_both_months():
    frame = pd.DataFrame(
        {
            "symbol": ["a", "a", "b", "c"],
            "in_date": pd.to_datetime(["2013-01-01", "2014-01-01", "2013-01-01", "2014-02-10"]),
            "out_date": pd.to_datetime(["2013-12-31", None, None, None]),
            "industry_id": ["x", "y", "z", "z"],
            "group_id": ["x", "y", "z", "z"],
        }
    )
    ends = np.array(["2013-12-31", "2014-01-30", "2014-02-28"], dtype="datetime64[D]")
    churn = industries.monthly_churn(frame, ends, SCHEME_DAYS)
    assert churn["churn"].tolist() == [0.5, 0.0]
    assert churn["names"].tolist() == [2, 2]
    assert churn["scheme_change"].tolist() == [True, False]


def test_shenwan_spells_of_the_shared_data():
    table = pd.read_csv(need("data/cn_industries.csv"), dtype=str)
    frame = table.rename(columns={"sw_l1": "code", "sw_l3": "detail"})
    for name in ("in_date", "out_date"):
        frame[name] = pd.to_datetime(frame[name])
    made = industries.point_in_time(frame)
    symbols = np.unique(made.frame["symbol"].to_numpy(dtype=str))
    days = np.array(["2013-12-31", "2016-01-04"], dtype="datetime64[D]")
    spell = industries.snapshot(made.frame, symbols, days)
    ids = made.frame["industry_id"].to_numpy()
    before = {ids[row] for row in spell[0] if row >= 0}
    after = {ids[row] for row in spell[1] if row >= 0}
    assert before == {f"swL1.{code}" for code in shenwan.CODES["SW2011"]}
    # two names of 2011's transport equipment went three ways and do not map by themselves
    assert {f"swL1.{code}" for code in shenwan.CODES["SW2014"]} <= after
    assert after - {f"swL1.{code}" for code in shenwan.CODES["SW2014"]} <= {"swL1.unknown"}
    assert "swL1.250000" not in after and "swL1.310000" not in after
    ends = calendar.month_ends(
        calendar.sessions("cn", np.datetime64("2010-01-01"), np.datetime64("2019-12-31")), "cn"
    )
    churn = industries.monthly_churn(made.frame, ends, SCHEME_DAYS)
    assert churn["scheme_change"].sum() == 1
    assert churn.loc[churn["scheme_change"], "churn"].item() > 0.2
    assert churn.loc[~churn["scheme_change"], "churn"].mean() < 0.05
    assert churn["churn"].mean() < 0.05
