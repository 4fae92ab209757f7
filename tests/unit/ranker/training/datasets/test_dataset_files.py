"""Training sets from elsewhere and as files: what is wrong is refused with the name of its column."""

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from eddyline.cli import build
from ranker.training.datasets.dataset import FIXED, OURS, Dataset, DatasetError, Description, check
from ranker.training.datasets.files import read, write
from ranker.training.datasets.foreign import Mapping, import_log, read_mapping

DATA = Path(__file__).parents[6] / "shared/data"
MAPPING = Mapping(
    item="film",
    time="shown",
    labels={"click": "clicked"},
    user=("viewer",),
    request=("page",),
    position="place",
    first_position=1,
    propensity="p",
    outcome_time="done",
    features=("length",),
    categories=("kind",),
)
LOG = """page,viewer,film,shown,place,p,done,clicked,length,kind
p1,ann,f1,1000,1,0.5,,0,90.5,noir
p1,ann,f2,1000,2,0.25,1500,1,80,drama
p2,ben,f1,900,1,0.5,,0,90.5,noir
"""


@pytest.fixture
def imported(tmp_path: Path) -> Dataset:
    return import_log(written(tmp_path, LOG), MAPPING, weight_max=3.0)


def written(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text)
    return path


def test_columns_of_a_log_become_those_of_a_training_set_in_the_order_of_time(imported: Dataset) -> None:
    rows = imported.rows.to_pylist()
    assert [(row["request_id"], row["user_id"], row["item_id"]) for row in rows] == [
        ("p2", "ben", "f1"),
        ("p1", "ann", "f1"),
        ("p1", "ann", "f2"),
    ]
    assert [row["position"] for row in rows] == [0, 0, 1]
    assert [row["importance_weight"] for row in rows] == [2.0, 2.0, 3.0]
    assert [row["label.click"] for row in rows] == [0.0, 0.0, 1.0]
    assert [row["feature.length"] for row in rows] == [90.5, 90.5, 80.0]
    assert [row["feature.kind"] for row in rows] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("viewer", "watcher", "log.csv: column 'viewer' is absent; there are 'page', 'watcher'"),
        ("90.5", "long", "column 'length': no number"),
        ("1000", "yesterday", "column 'shown': no time"),
        (",1,80", ",0,80", "label.click: no row is positive"),
        ("ben", "ann", "user_id: all rows are of one user"),
        ("1500", "999", "outcome_time_ms: 999 in row 2 lies before the impression"),
        ("f2", "f1", "request_id: 1 items are in a request more than once, first item f1 of p1"),
        ("0.25", "1.25", "propensity: 1.25 in row 2 is not in (0, 1] (1 rows)"),
        ("90.5", "inf", "feature.length: inf in row 0 is no finite number (2 rows)"),
        ("p2,ben,f1,900", "p2,ben,f1,", "time_ms: 1 rows have none"),
    ],
)
def test_a_log_that_cannot_be_used_is_refused_by_its_column(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(DatasetError) as refused:
        import_log(written(tmp_path, LOG.replace(old, new)), MAPPING, weight_max=3.0)
    assert message in str(refused.value)


def test_of_a_log_from_elsewhere_nobody_knows_what_was_done_to_its_rows(imported: Dataset) -> None:
    assert {name: imported.rows[name].null_count for name in OURS} == dict.fromkeys(OURS, 3)
    assert imported.description.flagged == {}


def test_a_log_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        import_log(written(tmp_path, LOG.splitlines()[0] + "\n"), MAPPING, weight_max=3.0)


def test_parquet_is_read_as_csv_is(tmp_path: Path, imported: Dataset) -> None:
    import pyarrow.csv as pa_csv

    path = tmp_path / "log.parquet"
    pq.write_table(pa_csv.read_csv(tmp_path / "log.csv"), path)
    assert import_log(path, MAPPING, weight_max=3.0).rows.equals(imported.rows)


def test_a_gzipped_log_is_read_as_it_is(tmp_path: Path, imported: Dataset) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(LOG.encode()))
    assert import_log(path, MAPPING, weight_max=3.0).rows.equals(imported.rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item = 3", "Expected `str`, got `int` - at `$.item`"),
        ('item = "a"\ntimes = "b"', "Object"),
        ("item =", "mapping.toml: "),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_by_its_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(DatasetError) as refused:
        read_mapping(path)
    assert message in str(refused.value)


def test_a_parquet_file_gives_back_rows_and_description(tmp_path: Path, imported: Dataset) -> None:
    described = replace(imported.description, offsets={0: (3, 9)}, left_out={"reason": 2})
    [path] = write(Dataset(imported.rows, described), tmp_path / "set.parquet")
    back = read(path)
    assert back.rows.replace_schema_metadata(None).equals(imported.rows)
    assert back.description == described


def test_a_parquet_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="is no training set of ours"):
        read(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="is no Parquet file"):
        read(tmp_path / "b.parquet")


def test_a_file_of_another_format_is_refused_with_both_numbers(tmp_path: Path, imported: Dataset) -> None:
    [path] = write(Dataset(imported.rows, replace(imported.description, format=1)), tmp_path / "old.parquet")
    with pytest.raises(DatasetError, match=r"old\.parquet is of format 1, and this version reads 2: export"):
        read(path)


def test_libsvm_has_a_line_per_row_and_a_query_per_request(tmp_path: Path, imported: Dataset) -> None:
    path, beside = write(imported, tmp_path / "set.libsvm")
    assert path.read_text().splitlines() == ["0 qid:1 1:90.5 2:1", "0 qid:2 1:90.5 2:1", "1 qid:2 1:80"]
    assert json.loads(beside.read_text())["features"] == ["feature.length", "feature.kind"]
    with pytest.raises(DatasetError, match=r"there is no label 'like'; there are label\.click"):
        write(imported, path, "like")


def test_csv_has_every_column(tmp_path: Path, imported: Dataset) -> None:
    path, _ = write(imported, tmp_path / "set.csv")
    header, *lines = path.read_text().splitlines()
    assert [name.strip('"') for name in header.split(",")] == imported.rows.column_names
    assert len(lines) == len(imported.rows)


def test_csv_flags_rows_and_says_nothing_where_nobody_knows(tmp_path: Path, imported: Dataset) -> None:
    rows = imported.rows
    for name, values in {"nudge": [0.5, None, 0.0], "explored": [True, None, False]}.items():
        column = pa.array(values, rows[name].type)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    path, _ = write(Dataset(rows, imported.description), tmp_path / "set.csv")
    with path.open() as file:
        back = [(row["nudge"], row["explored"]) for row in csv.DictReader(file)]
    assert back == [("0.5", "true"), ("", ""), ("0", "false")]


def test_an_unknown_format_is_refused(tmp_path: Path, imported: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"the format is \.parquet, \.csv or \.libsvm, not '\.xls'"):
        write(imported, tmp_path / "set.xls")


@pytest.mark.parametrize("name", [*FIXED, "label.click"])
def test_a_column_that_is_absent_is_named(imported: Dataset, name: str) -> None:
    rows = imported.rows.drop_columns([name])
    with pytest.raises(DatasetError, match=name.partition(".")[0]):
        check(Dataset(rows, Description("test")))


def test_a_column_of_another_type_is_named(imported: Dataset) -> None:
    texts = imported.rows["time_ms"].cast(pa.string())
    rows = imported.rows.set_column(imported.rows.column_names.index("time_ms"), "time_ms", texts)
    with pytest.raises(DatasetError, match="time_ms: the column is string, not int64"):
        check(Dataset(rows, Description("test")))


@pytest.mark.skipif(not (DATA / "open-bandit").exists(), reason="the Open Bandit sample is not here")
def test_open_bandit_is_imported_with_its_logged_propensities(tmp_path: Path) -> None:
    out = tmp_path / "men.parquet"
    log = DATA / "open-bandit/men_random.csv.gz"
    words = ["datasets", "import", str(log), str(out), "--mapping", "open-bandit"]
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 0, result.output
    dataset = read(out)
    assert len(dataset.rows) == len(gzip.decompress(log.read_bytes()).splitlines()) - 1
    assert np.isclose(dataset.rows["propensity"].to_numpy(), 1 / 34, atol=0.01).all()
    assert 0 < np.mean(dataset.rows["label.click"].to_numpy()) < 0.05


@pytest.mark.skipif(not (DATA / "ranklens").exists(), reason="RankLens is not here")
def test_ranklens_is_imported_a_row_per_film_of_each_ranking(tmp_path: Path) -> None:
    out = tmp_path / "films.parquet"
    log = DATA / "ranklens/events.jsonl.gz"
    result = CliRunner().invoke(build(), ["datasets", "import", str(log), str(out), "--mapping", "ranklens"])
    assert result.exit_code == 0, result.output
    dataset = read(out)
    assert dataset.rows.group_by("request_id").aggregate([([], "count_all")]).num_rows == 7_840
    assert dataset.names("feature.") == [
        f"feature.attribute.{name}"
        for name in ("popularity", "vote_avg", "vote_cnt", "budget", "runtime", "release_date")
    ]


def test_a_log_that_is_refused_is_told_without_a_trace(tmp_path: Path) -> None:
    log, mapping = written(tmp_path, LOG), tmp_path / "mapping.toml"
    mapping.write_text('item = "film"\ntime = "when"\nuser = ["viewer"]\n[labels]\nclick = "clicked"\n')
    words = ["datasets", "import", str(log), str(tmp_path / "out.csv"), "--mapping", str(mapping)]
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 1
    assert "column 'when' is absent" in result.output and "Traceback" not in result.output
