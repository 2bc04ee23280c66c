"""Lesson 4: does colouring always help?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from exercises import EXERCISES, check
    from lab import draw_curves, draw_map, map_of_gains

    from spo_theory import ReasoningChain, rule, solve

    return EXERCISES, ReasoningChain, check, draw_curves, draw_map, map_of_gains, mo, np, rule, solve


@app.cell
def _(mo):
    mo.md(
        """
        # Does colouring always help?

        Two steps, groups of two. The first step has accuracy p, the second q. Guess: is there a start from
        which colouring is *worse* than GRPO?
        """
    )
    return


@app.cell
def _(mo):
    first = mo.ui.slider(0.05, 0.95, 0.05, value=0.9, label="accuracy of step 1, p", show_value=True)
    second = mo.ui.slider(0.05, 0.95, 0.05, value=0.5, label="accuracy of step 2, q", show_value=True)
    name = mo.ui.dropdown(["spo", "spo_prefix"], value="spo", label="rule")
    mo.hstack([first, second, name], wrap=True)
    return first, name, second


@app.cell
def _(ReasoningChain, draw_curves, draw_map, first, map_of_gains, mo, name, np, rule, second, solve):
    grid = np.linspace(0.05, 0.95, 19)
    start = ReasoningChain(step_success=[first.value, second.value])
    curves = {rival: solve(start, rule(rival, group_size=2), steps=30) for rival in ("grpo", name.value)}
    behind = int((curves[name.value]["success"] < curves["grpo"]["success"] - 1e-12).sum())
    mo.vstack(
        [
            mo.hstack([draw_map(map_of_gains(name.value, 2, grid, grid)), draw_curves(curves)], wrap=True),
            mo.md(f"In the first 30 updates {name.value} is behind GRPO after **{behind}** of them."),
        ]
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** From (0.9, 0.5) colouring is behind for more than ten updates. In an all-wrong pair
        the answer that came further is rewarded, *with its wrong second step*. Where step 1 is good already,
        this loss is larger than what is gained. Prefix credit rewards the right steps alone, and at G = 2 it
        loses nowhere.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_boundary = mo.ui.text(label=EXERCISES["boundary"].question, full_width=True)
    answer_helped = mo.ui.text(label=EXERCISES["helped"].question, full_width=True)
    answer_prefix = mo.ui.text(label=EXERCISES["prefix"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_boundary, answer_helped, answer_prefix])
    return answer_boundary, answer_helped, answer_prefix


@app.cell
def _(answer_boundary, answer_helped, answer_prefix, check, mo):
    mo.vstack(
        [
            mo.md(check("boundary", answer_boundary.value)),
            mo.md(check("helped", answer_helped.value)),
            mo.md(check("prefix", answer_prefix.value)),
        ]
    )
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (8 minutes)": mo.md(
                """
        1 min: guess. 3 min: the map, then the curves from (0.9, 0.5) and (0.3, 0.3). 1 min: switch to
        spo_prefix. 3 min: exercises. The boundary at G = 2 is 1 - p = q (1 - q): the chance of an early error
        against that of a late one.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
