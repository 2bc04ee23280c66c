"""Lesson 3: how long is the stall?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    from exercises import EXERCISES, check
    from lab import chain, draw_curves, halves

    from spo_theory import rule, solve

    return EXERCISES, chain, check, draw_curves, halves, mo, rule, solve


@app.cell
def _(mo):
    mo.md(
        """
        # How long is the stall?

        Both rules start from accuracy 0.3 at every step. With four steps GRPO needs 40 updates to half success.
        Guess: how many does it need with eight?
        """
    )
    return


@app.cell
def _(mo):
    steps = mo.ui.slider(2, 8, 1, value=4, label="steps, H", show_value=True)
    steps
    return (steps,)


@app.cell
def _(chain, draw_curves, halves, mo, rule, solve, steps):
    curves = {
        name: solve(chain(steps.value), rule(name, group_size=8), 300, reusable=False) for name in ("grpo", "spo")
    }
    rows = [{"steps": h, **{name: round(halves(name, h), 1) for name in curves}} for h in (2, 4, 6, 8)]
    mo.vstack([draw_curves(curves), mo.md("Updates to half success:"), mo.ui.table(rows, selection=None)])
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** 1,726. GRPO's waiting time is multiplied by every step that is added, because it
        learns only from groups that hold a correct answer, and these become exponentially rare. Colouring's
        time grows slowly: every step that is learnt makes the next one visible.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_growth_grpo = mo.ui.text(label=EXERCISES["growth_grpo"].question, full_width=True)
    answer_growth_spo = mo.ui.text(label=EXERCISES["growth_spo"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_growth_grpo, answer_growth_spo])
    return answer_growth_grpo, answer_growth_spo


@app.cell
def _(answer_growth_grpo, answer_growth_spo, check, mo):
    mo.vstack(
        [mo.md(check("growth_grpo", answer_growth_grpo.value)), mo.md(check("growth_spo", answer_growth_spo.value))]
    )
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (8 minutes)": mo.md(
                """
        2 min: everybody writes down a guess for eight steps. 2 min: reveal 2, 4, 6, then 8. 2 min: exercises. 2
        min: discuss what "half success" hides: the end of the curves is alike.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
