"""A file of any content is a checkpoint of this run, or is refused in a line that names it."""

import pytest
from fuzz.junk import refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toy_llm import TrainConfig, files
from toy_llm.training import checkpoint

PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
FIELDS = [*checkpoint.State.__dataclass_fields__, "format"]
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(path):
    """Read a checkpoint for a run, as ``train`` does; what it raises must be a refusal that names the file."""
    config = TrainConfig(checkpoint=str(path), resume=True)
    said = refusal(lambda: checkpoint.read_for(config))
    if said is None:
        assert checkpoint.read_for(config).config == checkpoint.decisive(config)
    else:
        assert str(path) in said
        assert "\n" not in said


@SAME_FOLDER
@given(raw=st.binary(max_size=200))
def test_any_bytes(tmp_path, raw):
    path = tmp_path / "run.pt"
    path.write_bytes(raw)
    read_or_refuse(path)


@SAME_FOLDER
@given(content=PLAIN)
def test_any_content_with_a_right_checksum(tmp_path, content):
    path = tmp_path / "run.pt"
    files.save(path, content)
    read_or_refuse(path)


@SAME_FOLDER
@given(
    changed=st.dictionaries(st.sampled_from(FIELDS), PLAIN, max_size=3),
    missing=st.sets(st.sampled_from(FIELDS), max_size=2),
)
def test_a_checkpoint_with_other_fields(tmp_path, changed, missing):
    path = tmp_path / "run.pt"
    config = checkpoint.decisive(TrainConfig())
    good = {"config": config, "step": 0, "seconds": 0.0, "rows": [], "module": {}, "reference": {}, "optimizer": {}}
    content = {"format": checkpoint.FORMAT, **good} | changed
    files.save(path, {name: value for name, value in content.items() if name not in missing})
    read_or_refuse(path)


@pytest.mark.parametrize("length", [0, 31, 32, 33])
def test_files_around_the_length_of_a_checksum(tmp_path, length):
    path = tmp_path / "run.pt"
    path.write_bytes(b"x" * length)
    read_or_refuse(path)
