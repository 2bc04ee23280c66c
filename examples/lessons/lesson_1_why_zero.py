"""Lesson 1: why is the loss zero?"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    from exercises import EXERCISES, check
    from lab import chain, sampled_group

    return EXERCISES, chain, check, mo, sampled_group


@app.cell
def _(mo):
    mo.md(
        """
        # Why is the loss zero?

        A model answers a hard question eight times. The question needs several steps, and one wrong step spoils
        the answer. Before you look: how often is not a single one of the eight answers correct?
        """
    )
    return


@app.cell
def _(mo):
    accuracy = mo.ui.slider(0.05, 0.95, 0.05, value=0.3, label="accuracy of every step", show_value=True)
    steps = mo.ui.slider(1, 12, 1, value=6, label="steps, H", show_value=True)
    size = mo.ui.slider(2, 64, 1, value=8, label="group size, G", show_value=True)
    seed = mo.ui.number(0, 999, 1, value=0, label="sample another group")
    mo.hstack([accuracy, steps, size, seed], wrap=True)
    return accuracy, seed, size, steps


@app.cell
def _(accuracy, chain, mo, sampled_group, seed, size, steps):
    question = chain(steps.value, accuracy.value)
    silent = float(question.all_negative(size.value))
    mo.vstack(
        [
            mo.md(f"A response is correct with probability **{float(question.success):.2g}**."),
            mo.md(f"**{silent:.1%}** of all groups hold no correct response."),
            mo.plain(sampled_group(question, size.value, int(seed.value))),
        ]
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        **The surprise.** At accuracy 0.3 and six steps 99.4 % of the groups are all wrong. All their rewards
        are equal, so all their advantages are 0, and GRPO learns nothing from them: the loss is zero because
        nothing was found, not because everything was learnt. Colouring gives wrong answers different rewards:
        the later the first error, the more.
        """
    )
    return


@app.cell
def _(EXERCISES, mo):
    answer_group_size = mo.ui.text(label=EXERCISES["group_size"].question, full_width=True)
    answer_useful_groups = mo.ui.text(label=EXERCISES["useful_groups"].question, full_width=True)
    mo.vstack([mo.md("## Exercises"), answer_group_size, answer_useful_groups])
    return answer_group_size, answer_useful_groups


@app.cell
def _(answer_group_size, answer_useful_groups, check, mo):
    mo.vstack(
        [mo.md(check("group_size", answer_group_size.value)), mo.md(check("useful_groups", answer_useful_groups.value))]
    )
    return


@app.cell
def _(mo):
    mo.accordion(
        {
            "For the teacher (6 minutes)": mo.md(
                """
        1 min: ask for a guess, show of hands. 2 min: reveal; draw three groups with other seeds. 1 min: slide H
        from 2 to 8. 2 min: exercises in pairs. Often asked: "is a zero loss not good?" Compare an all-right
        group: same zero.
        """
            )
        }
    )
    return


if __name__ == "__main__":
    app.run()
