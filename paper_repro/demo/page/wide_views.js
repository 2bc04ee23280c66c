// Views that compute more, or replay what was recorded: the map over starts, the costs of remedies, a trained network.
"use strict";

/** Accuracies of the map over starts. */
const MAP_GRID = Array.from({ length: 13 }, (_, place) => Number((0.02 + place * 0.08).toFixed(2)));

/** @param {Scene} scene @returns {string} The rule that the map sets against GRPO. */
function rivalOf(scene) {
  return scene.state.methods.filter((method) => method !== "grpo").pop() ?? "spo";
}

/** @param {Form} form @param {number[]} success Of the steps. @returns {number} How fast success rises. */
function rateOfSuccess(form, success) {
  const update = expectedUpdate(form, success.map(logit));
  const whole = success.reduce((product, q) => product * q, 1);
  return whole * success.reduce((sum, q, step) => sum + (1 - q) * update[step], 0);
}

/**
 * @param {Scene} scene
 * @returns {{gains: number[][], here: number}} What the rival gains over GRPO: rows for the last step, columns for the
 *     others; and at the start that is set.
 */
function mapOf(scene) {
  const rival = scene.form(rivalOf(scene));
  const grpo = scene.form("grpo");
  /** @param {number[]} success */
  const gain = (success) => rateOfSuccess(rival, success) - rateOfSuccess(grpo, success);
  const gains = MAP_GRID.map((last) => MAP_GRID.map((early) => gain([...Array(scene.state.dials.H - 1).fill(early), last])));
  return { gains, here: gain(scene.state.success) };
}

/** @type {View} */
const MAP_VIEW = {
  name: "map",
  title: "Does colouring always help?",
  slow: true,
  question: (scene) =>
    `Success rises faster with ${scene.looks[rivalOf(scene)].label} than with GRPO: from how many of the ${MAP_GRID.length ** 2} starts on the map?`,
  options: () => ["from all of them", "from most", "from fewer than half", "from none"],
  answer: (scene) => {
    const cells = mapOf(scene).gains.flat();
    const share = cells.filter((gain) => gain > 0).length / cells.length;
    return share === 1 ? 0 : share > 0.5 ? 1 : share > 0 ? 2 : 3;
  },
  draw: (scene) => {
    const { gains, here } = mapOf(scene);
    const cells = gains.flat();
    return [
      mapPlot(scene, gains),
      html("ul", { class: "legend" }, [
        html("li", {}, [html("span", { class: "swatch gain" }), " faster than GRPO"]),
        html("li", {}, [html("span", { class: "swatch loss" }), " slower; click a cell to start there"]),
      ]),
      tableOf(["rise of success per update, minus that of GRPO", ""], [
        ["at the start that is set", numberShown("map-here", here)],
        ["at the best start of the map", numberShown("map-best", Math.max(...cells))],
        ["at the worst", numberShown("map-worst", Math.min(...cells))],
      ]),
    ];
  },
  explain: (scene) => {
    const cells = mapOf(scene).gains.flat();
    const losing = cells.filter((gain) => gain < 0).length;
    return [
      `From ${losing} of ${cells.length} starts success rises more slowly at first. A wrong response that came far gets a `,
      "high reward, and its wrong step is rewarded with it: that costs the late steps. Where the early steps are good ",
      "already, nothing is left to make up for it. Prefix credit rewards the right steps alone: add that rule and compare.",
    ];
  },
  code: (scene) => pythonMap(scene.state, rivalOf(scene)),
};

/**
 * @param {Scene} scene
 * @param {number[][]} gains
 * @returns {HTMLElement} The map: a grid of buttons, so that the keyboard reaches it too.
 */
function mapPlot(scene, gains) {
  const most = Math.max(...gains.flat().map(Math.abs));
  const cells = [];
  for (let row = MAP_GRID.length - 1; row >= 0; row -= 1) {
    MAP_GRID.forEach((early, column) => {
      const gain = gains[row][column];
      // Both signs have one scale; its root keeps small values visible
      const strength = Math.round(100 * Math.sqrt(Math.abs(gain) / (most || 1)));
      const said = `early steps ${early}, last step ${MAP_GRID[row]}: ${shown(gain, 2)}`;
      const look = { class: gain < 0 ? "loss" : "gain", style: `--strength:${strength}%`, title: said, "aria-label": said };
      const id = `map-${early}-${MAP_GRID[row]}`;
      cells.push(html("button", { type: "button", id, "data-early": early, "data-last": MAP_GRID[row], ...look }));
    });
  }
  const y = html("span", { class: "map-y" }, ["accuracy of the last step, 0.02 to 0.98 →"]);
  const x = html("span", { class: "map-x" }, [scene.state.dials.H > 1 ? "accuracy of all steps before it, 0.02 to 0.98 →" : "(one step alone)"]);
  const grid = html("div", { class: "map", style: `--size:${MAP_GRID.length}`, role: "group", "aria-label": "starts" }, cells);
  return html("div", { class: "map-frame" }, [y, grid, x]);
}

/** @param {Scene} scene @returns {{method: string, size: number, needs: string}[]} Rows of the table of costs. */
function costRows(scene) {
  const size = scene.state.dials.G;
  const judged = "a judge of steps";
  const rows = [
    { method: "grpo", size, needs: "nothing" },
    { method: "grpo", size: 4 * size, needs: "larger groups" },
    { method: "spo", size, needs: judged },
    { method: "spo_prefix", size, needs: judged },
    { method: "ngrpo", size, needs: "nothing" },
    { method: "lens", size, needs: "nothing" },
    { method: "hints", size, needs: "reference solutions" },
    { method: "easier_questions", size, needs: "shorter questions" },
    { method: "imitation", size, needs: "reference solutions" },
  ];
  return rows.filter(({ method }) => method in scene.looks);
}

/**
 * @param {Scene} scene
 * @returns {{row: {method: string, size: number, needs: string}, half: number, problem: string}[]} Updates to half
 *     success of every row, with a perfect judge.
 */
function costsOf(scene) {
  const { state } = scene;
  return costRows(scene).map((row) => {
    const setting = { ...settingOf(state, row.method), groupSize: row.size, miss: 0, falseAlarm: 0 };
    try {
      const curve = solve(prepare(setting), questionsOf(state), state.dials.updates, state.dials.rate);
      return { row, half: updatesTo(curve.success, 0.5), problem: "" };
    } catch (error) {
      if (!(error instanceof NoExactForm)) {
        throw error;
      }
      return { row, half: NaN, problem: "too large a sum" };
    }
  });
}

/** @type {View} */
const COSTS_VIEW = {
  name: "costs",
  title: "What does each remedy cost?",
  slow: true,
  question: (scene) => `You may make groups four times as large (G = ${4 * scene.state.dials.G}). How many responses does that save or cost until half success?`,
  options: () => ["it saves more than half", "it saves some", "it costs more", "half success is not reached"],
  answer: (scene) => {
    const [plain, large] = costsOf(scene).map(({ half }) => half);
    if (Number.isNaN(plain) || Number.isNaN(large)) {
      return 3;
    }
    return (4 * large) / plain < 0.5 ? 0 : (4 * large) / plain < 1 ? 1 : 2;
  },
  draw: (scene) => {
    const rows = costsOf(scene).map(({ row, half, problem }) => {
      const name = `cost-${row.method}-${row.size}`;
      const responses = half * (row.method === "imitation" ? 0 : row.size);
      return [
        html("span", {}, [methodName(scene, row.method), ` G = ${row.size}`]),
        problem === "" ? numberShown(`${name}-half`, half, 4) : problem,
        problem === "" ? numberShown(`${name}-responses`, responses, 4) : "",
        row.needs,
      ];
    });
    return [tableOf(["rule", "updates to half", "responses per question to half", "asks for"], rows)];
  },
  explain: (scene) => [
    `The chain of the settings, for at most ${scene.state.dials.updates} updates, with a perfect judge; a dash: not reached. `,
    "Imitation samples no responses. On the chain it has no price, because there is one solution and nothing to forget: ",
    "what it costs elsewhere is not in this model. Colouring pays with calls of a judge, which this table does not count.",
  ],
  code: (scene) => pythonCosts(scene.state, costsOf(scene).filter(({ problem }) => problem === "").map(({ row }) => row)),
};

/** @type {{settings: any, curves: any, halves: any[]}[]} Networks that were trained for real, with their forecasts. */
const RECORD = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("record")).textContent ?? "[]");

/** Which recorded network is shown, and up to which update. */
const replay = { which: 0, until: Infinity };

/** @type {View} */
const RUN_VIEW = {
  name: "run",
  title: "Does a real network do the same?",
  question: () => {
    const [sgd] = RECORD;
    const { horizon, seeds } = sgd.settings;
    return `A small transformer was trained on sums of ${horizon} steps, ${seeds.length} seeds for each rule, with plain SGD and with Adam. With Adam, is colouring faster than GRPO?`;
  },
  options: () => ["yes, as with SGD", "yes, but less", "no"],
  answer: () => {
    const [sgd, adam] = RECORD.map(speedUp);
    return adam < 1 ? 2 : adam < 0.9 * sgd ? 1 : 0;
  },
  draw: (scene) => {
    const run = RECORD[replay.which];
    const until = Math.min(replay.until, run.settings.updates);
    const lines = run.settings.rules.flatMap((rule) => linesOfRun(scene, run, rule, until));
    const named = run.settings.rules.flatMap((rule) => [
      { label: `${scene.looks[rule].label}: network, one line a seed`, colour: scene.looks[rule].colour },
      { label: "forecast from its start", colour: scene.looks[rule].colour, dash: "6 4" },
    ]);
    const choice = RECORD.map(({ settings }, place) =>
      html("button", { type: "button", class: "quiet which", id: `which-${place}`, "data-which": place, "aria-pressed": String(place === replay.which) }, [
        { sgd: "plain SGD", adam: "Adam" }[settings.optimizer],
      ]),
    );
    const play = html("button", { type: "button", class: "play", id: "play" }, ["Replay the training"]);
    const rows = run.halves.map((half) => [
      methodName(scene, half.rule), shown(half.predicted_half), shown(half.measured_half), shown(half.rmse, 2),
    ]);
    const title = "Success of the trained network over updates, and its forecast";
    return [
      html("div", { class: "row" }, [...choice, play]),
      legend(named),
      linePlot({ title, x: "updates", y: "success", lines, last: run.settings.updates, mark: 0.5 }),
      tableOf(["rule", "forecast: updates to half", "measured", "RMSE of success"], rows),
    ];
  },
  explain: () => [
    `Measured over forecast from the network's start; nothing was fitted. Speed-up by colouring: ${RECORD.map(
      (run) => `${shown(speedUp(run), 3)} with ${{ sgd: "SGD", adam: "Adam" }[run.settings.optimizer]}`,
    ).join(", ")} (updates to half, medians of ${RECORD[0].settings.seeds.length} seeds). SGD's step shrinks with GRPO's `,
    "gradient; Adam divides by the gradient's size, so GRPO's small updates are not small any more.",
  ],
  code: () => pythonRun(RECORD[replay.which].settings),
};

/** @param {{halves: any[]}} run @returns {number} Updates of GRPO over updates of colouring, as measured. */
function speedUp(run) {
  /** @param {string} rule */
  const half = (rule) => run.halves.find((row) => row.rule === rule)?.measured_half ?? NaN;
  return half("grpo") / half("spo");
}

/**
 * @param {Scene} scene
 * @param {{settings: any, curves: any}} run
 * @param {string} rule
 * @param {number} until The network's curves are drawn up to this update.
 * @returns {Line[]}
 */
function linesOfRun(scene, run, rule, until) {
  const look = scene.looks[rule];
  const { network, theory } = run.curves[rule];
  return [
    ...theory.map((values) => ({ ...look, values, dash: "6 4", width: 1.5, opacity: 0.8 })),
    ...network.map((values) => ({ ...look, values: values.slice(0, until + 1), width: 1.8 })),
  ];
}

const VIEWS = [GROUP_VIEW, CURVES_VIEW, STEPS_VIEW, MAP_VIEW, COSTS_VIEW, RUN_VIEW];
