"""Lesson 5: does beta matter, and do bigger groups help?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from exercises import EXERCISES, check
    from lab import chain

    from spo_theory import expected_update, rule

    return EXERCISES, chain, check, expected_update, mo, np, rule


@app.cell
def _(mo):
    mo.md(
        """
        # Does beta matter? Do bigger groups help?

        The paper prints the values 10 and 0.5 for slope and threshold, without saying which is which. Guess:
        how different are the two readings for a question of two steps?
        """
    )
    return


@app.cell
def _(mo):
    beta = mo.ui.slider(0.5, 20, 0.5, value=10, label="slope, beta", show_value=True)
    gamma = mo.ui.slider(0, 10, 0.5, value=0.5, label="threshold, gamma", show_value=True)
    steps = mo.ui.slider(2, 6, 1, value=2, label="steps, H", show_value=True)
    mo.hstack([beta, gamma, steps], wrap=True)
    return beta, gamma, steps


@app.cell
def _(beta, chain, expected_update, gamma, mo, np, rule, steps):
    def coloured_update(slope, threshold):
        method = rule("spo", group_size=8, beta=slope, gamma=threshold)
        return np.asarray(expected_update(chain(steps.value), method))

    rows = [
        {"reading": label, **{f"step {s + 1}": f"{x:.6f}" for s, x in enumerate(coloured_update(b, g))}}
        for label, b, g in (
            ("beta 10, gamma 0.5", 10.0, 0.5),
            ("beta 0.5, gamma 10", 0.5, 10.0),
            ("yours", float(beta.value), float(gamma.value)),
        )
    ]
    mo.ui.table(rows, selection=None)
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** With two steps all readings give *the same* update: an all-wrong group has only two
        colours, and standardization maps any two numbers to the same advantages. With more steps beta matters.

        Now the group size. Success may be 0.1 on average, but questions differ:
        """
    )
    return


@app.cell
def _(mo):
    deviation = mo.ui.slider(0.0, 0.29, 0.01, value=0.24, label="spread of success over questions, sd", show_value=True)
    size = mo.ui.slider(2, 64, 1, value=64, label="group size, G", show_value=True)
    mo.hstack([deviation, size], wrap=True)
    return deviation, size


@app.cell
def _(deviation, mo, np, size):
    mean = 0.1
    if deviation.value == 0:
        silent = (1 - mean) ** size.value
    else:
        total = mean * (1 - mean) / deviation.value**2 - 1
        i = np.arange(size.value)
        silent = float(np.prod((total * (1 - mean) + i) / (total + i)))
    mo.md(f"**{silent:.1%}** of the groups are all wrong (success Beta distributed over questions).")
    return


@app.cell
def _(EXERCISES, mo):
    answer_better_of_two = mo.ui.text(label=EXERCISES["better_of_two"].question, full_width=True)
    answer_silent_share = mo.ui.text(label=EXERCISES["silent_share"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_better_of_two, answer_silent_share])
    return answer_better_of_two, answer_silent_share


@app.cell
def _(answer_better_of_two, answer_silent_share, check, mo):
    mo.vstack(
        [
            mo.md(check("better_of_two", answer_better_of_two.value)),
            mo.md(check("silent_share", answer_silent_share.value)),
        ]
    )
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (8 minutes)": mo.md(
                """
        3 min: beta and gamma at H = 2, then H = 4. 3 min: guess the share of all-wrong groups of 64, reveal 71
        % against 0.1 % without spread. 2 min: exercises. Bigger groups do not reach hopeless questions.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
