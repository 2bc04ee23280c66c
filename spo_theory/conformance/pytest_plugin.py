"""Properties as tests: one test for every property of a function, through a marker and a fixture.

With the package installed pytest finds this plugin by itself::

    @pytest.mark.spo_check(compute, convention="trl", library="torch", ignore=["nearly_equal_rewards"])
    def test_compute(spo_property):
        spo_property()

The arguments of the marker are those of `spo_theory.conformance.check`. A property that does not apply is skipped,
with the reason; so are those in ``ignore``.
"""

from collections.abc import Callable
from typing import Any

import pytest

_REPORTS = pytest.StashKey[dict[int, Any]]()
MARKER = "spo_check(function, convention=None, ignore=(), **settings): the function whose properties are tested"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each property where a test asks for the fixture ``spo_property``."""
    if "spo_property" not in metafunc.fixturenames:
        return
    from spo_theory.conformance.checking import properties_of

    marker = metafunc.definition.get_closest_marker("spo_check")
    if marker is None:
        pytest.fail(f"{metafunc.definition.nodeid} asks for spo_property and has no @pytest.mark.spo_check(function)")
    names = [one.name for one in properties_of(marker.kwargs.get("kind", "advantages"))]
    metafunc.parametrize("spo_property", names, indirect=True)


@pytest.fixture
def spo_property(request: pytest.FixtureRequest) -> Callable[[], None]:
    """A function that raises `AssertionError`, with the smallest example, if the property does not hold."""
    marker = request.node.get_closest_marker("spo_check")
    report = _report(request.config, marker)
    [finding] = [found for found in report.findings if found.property.name == request.param]
    if request.param in marker.kwargs.get("ignore", ()):
        pytest.skip("left out by ignore")
    if finding.verdict == "does not apply":
        pytest.skip(finding.reason)

    def holds() -> None:
        """Raise if the property fails."""
        from spo_theory.conformance.report import explained

        assert finding.verdict == "holds", "\n".join(explained(finding))

    return holds


def _report(config: pytest.Config, marker: pytest.Mark) -> Any:
    """The report on the marked function, made once for all its tests."""
    from spo_theory.conformance.checking import check

    reports = config.stash.setdefault(_REPORTS, {})
    if id(marker) not in reports:
        settings = {name: value for name, value in marker.kwargs.items() if name != "ignore"}
        reports[id(marker)] = check(*marker.args, **settings)
    return reports[id(marker)]
