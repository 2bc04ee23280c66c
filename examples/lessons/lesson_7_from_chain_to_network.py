"""Lesson 7: from the chain to a transformer"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    from exercises import EXERCISES, check
    from lab import draw_record, record

    return EXERCISES, check, draw_record, mo, record


@app.cell
def _(mo):
    mo.md(
        """
        # From the chain to a transformer

        A small transformer was trained for real on chained sums. *Before* training, its accuracy and the way
        its steps share parameters were measured at the start; the theory then forecast the whole curve. No
        constant was fitted. Guess: how far off is such a forecast?
        """
    )
    return


@app.cell
def _(mo):
    optimizer = mo.ui.radio(
        {"plain SGD": "H4-sgd", "Adam": "H4-adam"}, value="plain SGD", label="optimizer", inline=True
    )
    optimizer
    return (optimizer,)


@app.cell
def _(draw_record, mo, optimizer, record):
    run = record(optimizer.value)
    mo.vstack([draw_record(run), mo.ui.table(run["halves"], selection=None)])
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** The forecast is some updates too early, although the network is no chain, and it keeps
        the order of the two rules under both optimizers. It keeps the network's features fixed and has no
        sampling noise: the lower picture, the residual, tells what that costs.

        To train it yourself (some minutes): `spo compare --horizon 4 --optimizer sgd --updates 120`.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_residual = mo.ui.text(label=EXERCISES["residual"].question, full_width=True)
    answer_adam_ratio = mo.ui.text(label=EXERCISES["adam_ratio"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_residual, answer_adam_ratio])
    return answer_residual, answer_adam_ratio


@app.cell
def _(answer_residual, answer_adam_ratio, check, mo):
    mo.vstack([mo.md(check("residual", answer_residual.value)), mo.md(check("adam_ratio", answer_adam_ratio.value))])
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (8 minutes)": mo.md(
                """
        2 min: what is measured at the start (accuracies, kernel). 2 min: guess, reveal SGD. 2 min: Adam. 2 min:
        exercises. Let `spo compare` run on the projector meanwhile: three seeds take some minutes.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
