"""Lesson 2: what does one coloured update teach?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from exercises import EXERCISES, check
    from lab import chain, draw_bars

    from spo_theory import expected_update, rule

    return EXERCISES, chain, check, draw_bars, expected_update, mo, np, rule


@app.cell
def _(mo):
    mo.md(
        """
        # What does one coloured update teach?

        The average update of a batch is computed exactly, step by step. Guess: which of the six steps does
        colouring improve most, and which does GRPO?
        """
    )
    return


@app.cell
def _(mo):
    accuracy = mo.ui.slider(0.05, 0.95, 0.05, value=0.3, label="accuracy of every step", show_value=True)
    steps = mo.ui.slider(2, 10, 1, value=6, label="steps, H", show_value=True)
    mo.hstack([accuracy, steps], wrap=True)
    return accuracy, steps


@app.cell
def _(accuracy, chain, draw_bars, expected_update, mo, np, rule, steps):
    question = chain(steps.value, accuracy.value)
    updates = {name: np.asarray(expected_update(question, rule(name, group_size=8))) for name in ("grpo", "spo")}
    table = [{"rule": name, **{f"step {s + 1}": f"{x:.5f}" for s, x in enumerate(u)}} for name, u in updates.items()]
    mo.vstack([draw_bars(updates), mo.ui.table(table, selection=None)])
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** GRPO pushes every step by the same tiny amount. Colouring pushes the first step
        hundreds of times as hard, and the last ones *less* than GRPO does: it teaches in order. A step that few
        responses reach makes few differences within a group, so there is little to learn about it yet.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_first_step = mo.ui.text(label=EXERCISES["first_step"].question, full_width=True)
    answer_step_ratio = mo.ui.text(label=EXERCISES["step_ratio"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_first_step, answer_step_ratio])
    return answer_first_step, answer_step_ratio


@app.cell
def _(answer_first_step, answer_step_ratio, check, mo):
    mo.vstack(
        [mo.md(check("first_step", answer_first_step.value)), mo.md(check("step_ratio", answer_step_ratio.value))]
    )
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (6 minutes)": mo.md(
                """
        1 min: guess. 2 min: reveal, on the logarithmic axis. 1 min: slide the accuracy to 0.8, where the rules
        become alike. 2 min: exercises. Why less than GRPO at late steps? A wrong answer that came far is
        praised with its wrong step.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
