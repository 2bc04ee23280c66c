"""Lesson 8, for engineers: find the planted bug"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import inspect

    import marimo as mo
    import numpy as np
    from exercises import EXERCISES, check
    from lab import VERSIONS, batch_of_rewards

    from spo_theory import rule

    return EXERCISES, VERSIONS, batch_of_rewards, check, inspect, mo, np, rule


@app.cell
def _(mo):
    mo.md(
        """
        # Find the planted bug

        Three versions of GRPO's advantage, as one finds them in trainers. At least one lets groups influence
        each other, and at least one invents advantages where all rewards are equal. Guess which, from the code
        alone.
        """
    )
    return


@app.cell
def _(VERSIONS, inspect, mo):
    name = mo.ui.radio(list(VERSIONS), value="a", label="version", inline=True)
    codes = "".join(inspect.getsource(version) for version in VERSIONS.values())
    mo.vstack([mo.md(f"```python\n{codes}\n```"), name])
    return (name,)


@app.cell
def _(VERSIONS, batch_of_rewards, mo, name, np, rule):
    rewards = batch_of_rewards()
    advantages = VERSIONS[name.value](rewards)
    reference = rule("grpo", group_size=8, convention="trl").baseline(rewards)
    alone = np.concatenate([VERSIONS[name.value](group[None]) for group in rewards])
    equal = VERSIONS[name.value](np.full((1, 6), 0.3, dtype=np.float32))
    mo.md(
        f"""
        | check | largest value |
        |---|---|
        | difference from the convention of TRL | {abs(advantages - reference).max():.2g} |
        | change if groups come one at a time | {abs(advantages - alone).max():.2g} |
        | advantage in a group of equal rewards | {abs(equal).max():.2g} |
        """
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** Version c passes every test with rewards 0 and 1. But six float32 rewards of 0.3 do
        not have the mean 0.3: the difference of 1e-8 is divided by a standard deviation of 1e-8, and a group
        that should be silent speaks with advantage 1. The rule of this library maps rewards to [0, 1] first,
        and such a group is exactly 0.

        Version a differs from TRL in the second digit because TRL divides by G - 1: a convention, not a bug.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_bug = mo.ui.text(label=EXERCISES["bug"].question, full_width=True)
    answer_phantom = mo.ui.text(label=EXERCISES["phantom"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_bug, answer_phantom])
    return answer_bug, answer_phantom


@app.cell
def _(answer_bug, answer_phantom, check, mo):
    mo.vstack([mo.md(check("bug", answer_bug.value)), mo.md(check("phantom", answer_phantom.value))])
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (7 minutes)": mo.md(
                """
        2 min: read the code, vote. 2 min: the three checks. 3 min: exercises, then everybody tries the function
        of their own trainer in `VERSIONS`.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
