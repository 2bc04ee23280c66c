"""Lesson 6: how bad may the judge be, and what does Adam do?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from exercises import EXERCISES, check
    from lab import ADAM_RATE, ADAM_STEPS, chain, draw_curves

    from spo_theory import expected_update, rule, solve
    from spo_theory.outcomes.judged import expected_update_judged

    return (
        ADAM_RATE,
        ADAM_STEPS,
        EXERCISES,
        chain,
        check,
        draw_curves,
        expected_update,
        expected_update_judged,
        mo,
        np,
        rule,
        solve,
    )


@app.cell
def _(mo):
    mo.md(
        """
        # How bad may the judge be?

        Colouring needs a judge that finds the first wrong step. It passes some wrong steps (misses) and calls
        some right ones wrong (false alarms). Guess: how bad may it be before colouring teaches nothing?
        """
    )
    return


@app.cell
def _(mo):
    miss = mo.ui.slider(0, 1, 0.05, value=0.3, label="misses", show_value=True)
    alarm = mo.ui.slider(0, 1, 0.05, value=0.1, label="false alarms", show_value=True)
    mo.hstack([miss, alarm], wrap=True)
    return alarm, miss


@app.cell
def _(alarm, chain, expected_update, expected_update_judged, miss, mo, np, rule):
    question = chain(3)
    judged = expected_update_judged(question, rule("spo", group_size=8), miss=miss.value, false_alarm=alarm.value)
    added = np.asarray(judged) - np.asarray(expected_update(question, rule("grpo", group_size=8)))
    mo.md("Added to GRPO's update of steps 1, 2, 3: " + ", ".join(f"**{x:+.4f}**" for x in added))
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** On the line misses + false alarms = 1 colouring adds *exactly nothing*: the judge then
        says "wrong" equally often at right and wrong steps. Every better judge helps a little; a worse one does
        harm.

        # And the optimizer?
        """
    )
    return


@app.cell
def _(ADAM_RATE, mo):
    optimizer = mo.ui.radio(["sgd", "adam"], value="sgd", label="optimizer", inline=True)
    mo.vstack([optimizer, mo.md(f"Learning rate: 1 for SGD, {ADAM_RATE:g} for Adam.")])
    return (optimizer,)


@app.cell
def _(ADAM_RATE, ADAM_STEPS, chain, draw_curves, optimizer, rule, solve):
    learning_rate = 1.0 if optimizer.value == "sgd" else ADAM_RATE
    methods = {name: rule(name, group_size=8) for name in ("grpo", "spo")}
    draw_curves(
        {
            name: solve(chain(ADAM_STEPS), method, 120, learning_rate, optimizer=optimizer.value, reusable=False)
            for name, method in methods.items()
        }
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The second surprise.** Adam divides every update by its size. GRPO's tiny update becomes a normal
        step, so the stall is gone, and colouring is no longer ahead.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_useless_judge = mo.ui.text(label=EXERCISES["useless_judge"].question, full_width=True)
    answer_adam = mo.ui.text(label=EXERCISES["adam"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_useless_judge, answer_adam])
    return answer_useless_judge, answer_adam


@app.cell
def _(answer_useless_judge, answer_adam, check, mo):
    mo.vstack([mo.md(check("useless_judge", answer_useless_judge.value)), mo.md(check("adam", answer_adam.value))])
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (9 minutes)": mo.md(
                """
        3 min: find the line with the sliders, (0.3, 0.7) and (0.5, 0.5). 3 min: switch the optimizer. 3 min:
        exercises. The forecast here is without sampling noise; with noise Adam's advantage shrinks.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
