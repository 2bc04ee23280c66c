// The views. Each asks for a guess, then reveals, then explains, and can show the code that computes it.
"use strict";

/**
 * What a view needs: the state, the methods' looks, and what the engine found for it.
 * @typedef {Object} Scene
 * @property {State} state
 * @property {Record<string, {label: string, colour: string}>} looks Of the methods.
 * @property {(method: string) => Form} form Raises NoExactForm.
 * @property {(method: string) => Curve} curve Raises NoExactForm.
 */

/**
 * @typedef {Object} View
 * @property {string} name In the address.
 * @property {string} title
 * @property {(scene: Scene) => string} question
 * @property {(scene: Scene) => string[]} options
 * @property {(scene: Scene) => number} answer Place of the right option.
 * @property {(scene: Scene) => Node[]} draw
 * @property {(scene: Scene) => (Node | string)[]} explain
 * @property {(scene: Scene) => string} code
 * @property {boolean} [slow] Drawn after the others, when the sliders rest.
 */

/** @param {string[]} words @returns {string} "a, b and c" */
function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/**
 * @param {string[]} head
 * @param {(Node | string)[][]} rows
 * @returns {HTMLElement} A table whose first column names the rows.
 */
function tableOf(head, rows) {
  const top = html("tr", {}, head.map((cell) => html("th", { scope: "col" }, [cell])));
  const body = rows.map((cells) =>
    html("tr", {}, cells.map((cell, place) => html(place === 0 ? "th" : "td", place === 0 ? { scope: "row" } : {}, [cell]))),
  );
  return html("div", { class: "scroller", tabindex: 0 }, [
    html("table", {}, [html("thead", {}, [top]), html("tbody", {}, body)]),
  ]);
}

/** @param {Scene} scene @param {string} method @returns {Node} */
function methodName(scene, method) {
  return html("span", { class: "method", style: `--colour:${scene.looks[method].colour}` }, [scene.looks[method].label]);
}

const SHARES = [0.05, 0.5, 0.95];

/** @param {Scene} scene @returns {{success: number, silent: number}} Of the middle question at the start. */
function startOf(scene) {
  const success = scene.state.success.reduce((product, q) => product * q, 1);
  const probabilities = classProbabilities(scene.state.success.map(logit));
  return { success, silent: wholePower(failureOf(probabilities), scene.state.dials.G) };
}

/** @param {Scene} scene @returns {Rollout[]} The group that the seed gives. */
function groupOf(scene) {
  const judge = prepare({ ...settingOf(scene.state, "grpo") });
  return sampleGroup(judge, scene.state.success.map(logit), generator(scene.state.seed));
}

/** @type {View} */
const GROUP_VIEW = {
  name: "group",
  title: "Why is the loss zero?",
  question: (scene) =>
    `The model writes ${scene.state.dials.G} responses to one question. How often is not a single one of them correct?`,
  options: () => ["almost never (below 5 %)", "in less than half of the groups", "in most groups", "nearly always (above 95 %)"],
  answer: (scene) => SHARES.filter((share) => startOf(scene).silent > share).length,
  draw: (scene) => {
    const responses = groupOf(scene);
    const results = scene.state.methods.map((method) =>
      judgeGroup({ ...prepare(settingOf(scene.state, "grpo")), setting: settingOf(scene.state, method) }, scene.state.success.map(logit), responses),
    );
    const last = results[results.length - 1];
    const head = ["", "steps", ...scene.state.methods.flatMap((method) => [`${scene.looks[method].label}: reward`, "advantage"])];
    const rows = responses.map((response, place) => [
      String(place + 1),
      responseCells(scene.state.dials.H, response, last.weights[place]),
      ...results.flatMap(({ rewards, advantages }, which) => [
        shown(rewards[place]),
        numberShown(`${scene.state.methods[which]}-advantage-${place + 1}`, advantages[place]),
      ]),
    ]);
    const resample = html("button", { type: "button", class: "again", id: "again" }, ["Sample another group"]);
    return [html("div", { class: "row" }, [resample, groupKey()]), tableOf(head, rows)];
  },
  explain: (scene) => {
    const { success, silent } = startOf(scene);
    const count = groupOf(scene).filter((response) => response.outcome === scene.state.dials.H).length;
    const here = count === 0 ? "This group is one of them: under GRPO all its advantages are 0, and so is its loss." :
      `This group has ${count} correct, so GRPO learns from it; sample again to see how rare that is.`;
    return [
      "A response is correct with probability ", numberShown("success", success, 2), ". So ", numberShown("silent", silent, 3, true),
      ` of all groups hold no correct response. ${here} Colouring gives the wrong responses different rewards: the later `,
      `the first error, the more. Under each step stands its weight in the gradient of ${scene.looks[lastOf(scene)].label}.`,
    ];
  },
  code: (scene) => pythonGroup(scene.state, groupOf(scene)),
};

/** @param {number} horizon @param {Rollout} response @param {(number | null)[]} weights @returns {Node} */
function responseCells(horizon, response, weights) {
  const cells = Array.from({ length: horizon }, (_, step) => {
    const kind = step < response.outcome ? "right" : step === response.outcome ? "wrong" : "unreached";
    const sign = { right: "✓", wrong: "✗", unreached: "·" }[kind];
    const flagged = step === response.heard && response.heard !== response.outcome ? " flagged" : "";
    const weight = weights[step] ?? null;
    const said = `step ${step + 1}: ${kind === "unreached" ? "never reached" : kind}${flagged ? ", called wrong by the judge" : ""}`;
    return html("span", { class: `cell ${kind}${flagged}`, title: said, "aria-label": said }, [
      html("b", {}, [sign]),
      html("small", {}, [weight === null ? "" : shown(weight, 2)]),
    ]);
  });
  return html("span", { class: "cells" }, cells);
}

/** @returns {Node} What the colours of the cells mean. */
function groupKey() {
  const entries = [["right", "✓", "right step"], ["wrong", "✗", "first error"], ["unreached", "·", "never reached"]];
  const items = entries.map(([kind, sign, label]) =>
    html("li", {}, [html("span", { class: `cell ${kind}` }, [html("b", {}, [sign])]), ` ${label}`]),
  );
  return html("ul", { class: "legend" }, items);
}

/** @type {View} */
const CURVES_VIEW = {
  name: "curves",
  title: "How long is the stall?",
  question: (scene) =>
    `All rules start from the same model. Which one solves half of the questions first, within ${scene.state.dials.updates} updates?`,
  options: (scene) => [...scene.state.methods.map((method) => scene.looks[method].label), "none of them"],
  answer: (scene) => {
    const times = scene.state.methods.map((method) => updatesTo(scene.curve(method).success, 0.5));
    const reached = times.map((time) => (Number.isNaN(time) ? Infinity : time));
    const first = Math.min(...reached);
    return first === Infinity ? times.length : reached.indexOf(first);
  },
  draw: (scene) => {
    const { methods, dials } = scene.state;
    const curves = methods.map((method) => scene.curve(method));
    /** @param {(curve: Curve) => Float64Array} of */
    const lines = (of) => curves.map((curve, place) => ({
      label: scene.looks[methods[place]].label,
      colour: scene.looks[methods[place]].colour,
      values: of(curve),
      dash: ["", "7 4", "2 4", "9 3 2 3"][place % 4],
    }));
    const success = lines((curve) => curve.success);
    const plot = { x: "updates", last: dials.updates };
    const rows = methods.map((method, place) => [
      methodName(scene, method),
      numberShown(`${method}-half`, updatesTo(curves[place].success, 0.5), 4),
      numberShown(`${method}-success`, curves[place].success[dials.updates]),
      numberShown(`${method}-all-negative`, curves[place].allNegative[dials.updates]),
    ]);
    return [
      legend(success),
      html("div", { class: "pair" }, [
        linePlot({ ...plot, title: "Probability of a correct response over updates", y: "success", lines: success, mark: 0.5 }),
        linePlot({ ...plot, title: "Share of groups without a correct response", y: "all-negative groups", lines: lines((curve) => curve.allNegative) }),
      ]),
      tableOf(["rule", "updates to half", `success after ${dials.updates}`, "all-negative then"], rows),
    ];
  },
  explain: (scene) => {
    const words = scene.state.methods.map((method) => {
      const time = updatesTo(scene.curve(method).success, 0.5);
      return `${scene.looks[method].label} ${Number.isNaN(time) ? "does not get there" : `needs ${shown(time, 3)} updates`}`;
    });
    return [
      `${listed(words)}. GRPO learns from a group only if it holds a correct response, and while success is rare its `,
      "update is as small as the chance of that. More steps make that chance smaller: add some and see.",
    ];
  },
  code: (scene) => pythonCurves(scene.state),
};

/** @type {View} */
const STEPS_VIEW = {
  name: "steps",
  title: "What does one update teach?",
  question: (scene) => `One average update of ${scene.looks[lastOf(scene)].label}: which step does it improve most?`,
  options: (scene) => Array.from({ length: scene.state.dials.H }, (_, step) => `step ${step + 1}`),
  answer: (scene) => {
    const update = expectedUpdate(scene.form(lastOf(scene)), scene.state.success.map(logit));
    return update.indexOf(Math.max(...update));
  },
  draw: (scene) => {
    const { methods, dials } = scene.state;
    const logits = scene.state.success.map(logit);
    const updates = methods.map((method) => expectedUpdate(scene.form(method), logits));
    const bars = methods.map((method, place) => ({ ...scene.looks[method], values: updates[place] }));
    const steps = Array.from({ length: dials.H }, (_, step) => `step ${step + 1}`);
    const rows = methods.map((method, place) => [
      methodName(scene, method),
      ...Array.from(updates[place], (change, step) => numberShown(`${method}-update-${step + 1}`, change, 2)),
    ]);

    const weights = methods.map((method) => expectedWeights(scene.form(method), logits));
    const classes = Array.from({ length: dials.H + 1 }, (_, right) => [
      right === dials.H ? "correct" : `${right} right, then wrong`,
      shown(classProbabilities(logits)[right], 2),
      ...weights.map((rows_) => shown(rows_[right][0], 2)),
    ]);
    return [
      legend(bars),
      barPlot({ title: "Expected update of each step", x: "step", y: "change of log-odds", groups: steps.map((_, step) => String(step + 1)), bars }),
      tableOf(["update of", ...steps], rows),
      html("h3", {}, ["Expected advantage of each kind of response"]),
      tableOf(["response", "chance", ...methods.map((method) => scene.looks[method].label)], classes),
    ];
  },
  explain: (scene) => {
    const { methods } = scene.state;
    const sums = methods.map((method) => expectedUpdate(scene.form(method), scene.state.success.map(logit)));
    const words = methods.map((method, place) => `${scene.looks[method].label} ${shown(sums[place][0], 2)}`);
    return [
      `The first step gets ${listed(words)}. GRPO pushes every step by the chance that everything is right, however easy or `,
      "hard the step is. Colouring adds what wrong responses differ in: steps that many responses reach get a larger push, ",
      "so a hard question is learnt from its beginning.",
    ];
  },
  code: (scene) => pythonSteps(scene.state),
};

/** @param {Scene} scene @returns {string} The method on which a question about one method is asked. */
function lastOf(scene) {
  return scene.state.methods[scene.state.methods.length - 1];
}
