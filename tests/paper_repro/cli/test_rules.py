"""Options of update rules on the command line: offered, explained, passed on, and refused where they do not belong."""

import pytest
from everyday import KIN, spare

from paper_repro.cli import main
from paper_repro.cli.parsing import parse
from paper_repro.cli.rules import chosen_rules, rule_option_names
from paper_repro.cli.theory import COMMAND as THEORY
from paper_repro.cli.train import COMMAND as TRAIN
from paper_repro.cli.train import train_config
from spo_theory import rule

CHAIN = ["--step-success", "0.3", "0.4"]


def spelled(option):
    return f"--{option.name.replace('_', '-')}"


def given_in(command, name, *arguments):
    """What `spo theory` or `spo train` passes on to rule ``name``."""
    required = CHAIN if command is THEORY else []
    _, rules = parse("a command", command, [*required, "--rule", name, *arguments])
    assert list(rules) == [name]
    return rules[name]


@pytest.mark.parametrize("name", spare(rule.names(), KIN))
def test_theory_solves_every_rule(name, capsys):
    assert main(["theory", *CHAIN, "--rule", name, "--steps", "3"]) == 0
    said = capsys.readouterr().out
    method = rule(name)
    assert said.startswith(f"{name}, G = {method.group_size}, H = 2; ")
    assert type(method.objective).__name__ in said
    assert "exact curve" in said


@pytest.mark.parametrize("command", [THEORY, TRAIN], ids=["theory", "train"])
@pytest.mark.parametrize("name", rule.names())
def test_every_option_is_accepted_with_its_default_and_changes_nothing(name, command):
    words = [word for option in rule.options(name) for word in (spelled(option), str(option.default))]
    assert given_in(command, name, *words) == {}


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("rebel --eta 0.5", {"eta": 0.5}),
        ("rebel --eta=2", {"eta": 2.0}),
        ("spo --shape raw --ddof 1", {"shape": "raw", "ddof": 1}),
        (
            "spo_prefix --beta 3 --gamma 0.25 --scope all_incorrect",
            {"beta": 3.0, "gamma": 0.25, "scope": "all_incorrect"},
        ),
        ("spo --rts-length true --train-on all_negative", {"rts_length": "true", "train_on": "all_negative"}),
        ("spo --rts_length true", {"rts_length": "true"}),
        ("grpo --convention trl --std-eps 0", {"convention": "trl", "std_eps": 0.0}),
        ("raft --group-size 6", {"group_size": 6}),
        ("sign --clip-low 0.1 --clip-high 0.3", {"clip_low": 0.1, "clip_high": 0.3}),
    ],
)
def test_given_options_reach_the_rule(line, given):
    name, *arguments = line.split()
    assert given_in(THEORY, name, *arguments) == given
    assert given_in(TRAIN, name, *arguments) == given


def test_theory_uses_the_options(capsys):
    assert main(["theory", *CHAIN, "--rule", "spo", "--shape", "raw", "--ddof", "1", "--steps", "0"]) == 0
    said = capsys.readouterr().out
    assert "Colouring(shape='raw')" in said
    assert "GroupAdvantage(ddof=1)" in said


@pytest.mark.parametrize("name", rule.names())
def test_a_training_run_has_the_rule_with_its_default_group(name):
    config = train_config({}, {name: {}})
    assert config.make_rule() == rule(name)


def test_a_training_run_has_the_options_of_its_rule():
    assert train_config({}, {"rebel": {"eta": 0.5}}).make_rule() == rule("rebel", eta=0.5)
    given = {"beta": 5.0, "shape": "raw", "train_on": "all_negative", "group_size": 4}
    assert train_config({}, {"spo": given}).make_rule() == rule("spo", **given)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "train --rule grpo --beta 5",
            "option beta is not allowed for rule 'grpo': rules with it are dpo, spo, spo_prefix",
        ),
        (
            "train --beta 5 --rule=grpo",
            "option beta is not allowed for rule 'grpo': rules with it are dpo, spo, spo_prefix",
        ),
        ("train --eta 0.5", "option eta is not allowed for rule 'spo': rules with it are rebel"),
        ("theory --step-success 0.3 --rule dr_grpo --std-eps 1", "option std_eps is not allowed for rule 'dr_grpo'"),
        ("theory --step-success 0.3 --rule rebel --clip-low=0.1", "option clip_low is not allowed for rule 'rebel'"),
        ("compare --eta 1", "option eta is not allowed for rule 'grpo' or 'spo': rules with it are rebel"),
        ("compare --rules grpo dr_grpo --beta 5", "rules with it are dpo, spo, spo_prefix"),
    ],
)
def test_an_option_of_other_rules_is_refused_with_their_names(line, message, capsys):
    assert main(line.split()) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def own_options(name):
    """The options of rule ``name`` that ``grpo`` has not; of ``grpo`` all, which every rule shares or refuses."""
    shared = {option.name for option in rule.options("grpo")}
    return [option for option in rule.options(name) if name == "grpo" or option.name not in shared]


@pytest.mark.parametrize("command", ["theory --step-success 0.3", "train"])
@pytest.mark.parametrize("name", [name for name in rule.names() if own_options(name)])
def test_bad_values_of_every_option_are_refused_in_one_line(name, command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in own_options(name):
        for bad in ("nonsense", "2.5 1", "nan") if option.kind is float else ("nonsense",):
            assert main([*command.split(), "--rule", name, spelled(option), *bad.split()]) == 2, option
            said = capsys.readouterr().err
            assert said.startswith("spo: error: ")
            assert said.count("\n") == 1
            assert f"{option.name} = " in said or "Unrecognized options: 1" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--rule rebel --eta abc", "eta = 'abc' is not allowed: eta must be a number"),
        ("--rule rebel --eta 0", "eta = 0.0 is not allowed: eta must be a finite number above 0"),
        ("--group-size 2.5", "group_size = '2.5' is not allowed: group_size must be a whole number"),
        ("--beta nan", "beta = nan is not allowed: beta must be a finite number above 0"),
        ("--scope some", "scope = 'some' is not allowed: scope must be all_negative or all_incorrect"),
        ("--rule grpo --convention tlr", "convention = 'tlr' is not allowed: convention must be one of paper, trl"),
    ],
)
def test_a_refusal_says_what_is_allowed(line, message, capsys):
    for command in (["theory", *CHAIN], ["train"]):
        assert main([*command, *line.split()]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["theory", "train"])
def test_the_help_explains_the_options_of_the_rule_and_names_all_rules(command, capsys):
    assert main([command, "--help", "--rule", "rebel"]) == 0
    said = capsys.readouterr().out
    assert "update rule: rebel" in said
    assert "Nats that a log-ratio should gain" in " ".join(said.replace("│", " ").split())
    assert "--beta" not in said
    assert all(name in said for name in rule.names())

    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "update rule: spo" in said
    assert "--beta" in said
    assert "--eta" not in said


def test_the_help_of_compare_offers_the_union(capsys):
    assert main(["compare", "--help", "--rules", "rebel", "spo"]) == 0
    said = capsys.readouterr().out
    assert all(f"--{name}" in said for name in ("eta", "beta", "train-on", "group-size"))


def test_compare_gives_each_rule_the_options_it_has():
    from paper_repro.cli.compare import COMMAND, configuration

    line = "--rules grpo spo --beta 5 --clip-low 0.1 --group-size 4"
    values, rules = parse("compare", COMMAND, line.split())
    assert rules == {"grpo": {"clip_low": 0.1}, "spo": {"beta": 5.0, "clip_low": 0.1}}
    spec = configuration(values, rules)
    assert spec.config("grpo", 0).make_rule() == rule("grpo", group_size=4, clip_low=0.1)
    assert spec.config("spo", 0).make_rule() == rule("spo", group_size=4, clip_low=0.1, beta=5.0)


def test_the_rule_is_found_anywhere_and_the_last_one_counts():
    assert chosen_rules(["--out", "a", "--rule", "raft", "--steps", "3"], "rule", ["spo"]) == ["raft"]
    assert chosen_rules(["--rule", "raft", "--rule=rebel"], "rule", ["spo"]) == ["rebel"]
    assert chosen_rules(["--rules", "raft", "rebel", "--out", "a"], "rules", ["spo"]) == ["raft", "rebel"]
    assert chosen_rules(["--out", "a"], "rule", ["spo"]) == ["spo"]


def test_settings_of_a_run_that_are_options_of_rules_are_offered_with_the_rule_only():
    from paper_repro.cli.train import train_boxes

    own = {option.name for box in train_boxes().values() for option in box}
    assert not own & rule_option_names()
    assert {"horizon", "updates", "kl_coef", "seeds", "out"} <= own
