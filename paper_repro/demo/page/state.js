// What the reader has set, as sliders show it and as the address holds it.
"use strict";

/**
 * A number that the reader can set.
 * @typedef {Object} Dial
 * @property {string} name In the address.
 * @property {string} label
 * @property {string} help What it means, one sentence.
 * @property {number} low
 * @property {number} high
 * @property {number} step
 * @property {number} start Its value when the page is opened.
 * @property {boolean} [whole]
 */

/** @type {Dial[]} */
const DIALS = [
  { name: "H", label: "steps, H", help: "Reasoning steps that a question needs.", low: 1, high: 12, step: 1, start: 6, whole: true },
  { name: "G", label: "group size, G", help: "Responses to one question.", low: 2, high: 64, step: 1, start: 8, whole: true },
  { name: "beta", label: "slope β", help: "Slope of the colouring.", low: 0.1, high: 20, step: 0.1, start: 10 },
  { name: "gamma", label: "threshold γ", help: "Share of right steps that earns half a reward.", low: 0, high: 10, step: 0.05, start: 0.5 },
  { name: "spread", label: "spread of difficulty", help: "Standard deviation of the log-odds over three questions; 0: one question.", low: 0, high: 3, step: 0.1, start: 0 },
  { name: "miss", label: "judge misses", help: "Probability that the judge passes a wrong step.", low: 0, high: 1, step: 0.05, start: 0 },
  { name: "alarm", label: "false alarms", help: "Probability that the judge calls a right step wrong.", low: 0, high: 1, step: 0.05, start: 0 },
  { name: "updates", label: "updates", help: "How far the curves go.", low: 10, high: 400, step: 10, start: 250, whole: true },
  { name: "rate", label: "learning rate", help: "Multiplies every update.", low: 0.1, high: 3, step: 0.1, start: 1 },
];

const SUCCESS_LOW = 0.01; // a step's success probability on its slider
const SUCCESS_HIGH = 0.99;
const SUCCESS_START = 0.3;
const SCOPES = ["all_negative", "all_incorrect"];

/** Standard normal quantiles of three equally likely questions. */
const QUANTILES = [-0.967421566101701, 0, 0.967421566101701];

/**
 * @typedef {Object} State
 * @property {Record<string, number>} dials Values by name.
 * @property {number[]} success Probability of each step at the start.
 * @property {"all_negative" | "all_incorrect"} scope
 * @property {string[]} methods Those that are drawn.
 * @property {number} seed Of the sampled group.
 * @property {string[]} open Views that were revealed.
 */

/**
 * @returns {State} The state in which the page opens.
 */
function openingState() {
  const dials = Object.fromEntries(DIALS.map((dial) => [dial.name, dial.start]));
  const success = Array(dials.H).fill(SUCCESS_START);
  return { dials, success, scope: "all_negative", methods: ["grpo", "spo"], seed: 1, open: [] };
}

/**
 * @param {string} text
 * @param {number} low
 * @param {number} high
 * @param {boolean} [whole]
 * @returns {number} NaN if the text is no such number.
 */
function numberWithin(text, low, high, whole) {
  const value = text.trim() === "" ? NaN : Number(text);
  const allowed = value >= low && value <= high && (!whole || Number.isInteger(value));
  return allowed ? value : NaN;
}

/**
 * @param {string} name
 * @param {string | null} text As given.
 * @param {string} allowed
 * @returns {string} A sentence for a value that is not allowed.
 */
function refusal(name, text, allowed) {
  return `${name} = ${text === "" ? "nothing" : text} is not allowed: ${allowed}.`;
}

/**
 * @param {string} address What stands behind the # of the page's address.
 * @param {string[]} known Names of the methods.
 * @returns {{state: State, problems: string[]}} The state, and a sentence for everything that was not understood.
 */
function readAddress(address, known) {
  const state = openingState();
  const problems = [];
  const given = new URLSearchParams(address);
  for (const dial of DIALS) {
    const text = given.get(dial.name);
    const value = text === null ? dial.start : numberWithin(text, dial.low, dial.high, dial.whole);
    if (Number.isNaN(value)) {
      const kind = dial.whole ? "a whole number" : "a number";
      problems.push(refusal(dial.name, text, `${kind} from ${dial.low} to ${dial.high}`));
    } else {
      state.dials[dial.name] = value;
    }
  }

  readSuccess(given.get("q"), state, problems);
  readChoices(given, state, problems, known);
  const names = [...DIALS.map((dial) => dial.name), "q", "scope", "methods", "seed", "open"];
  for (const name of given.keys()) {
    if (!names.includes(name)) {
      problems.push(`${name} is not known: the address may hold ${names.join(", ")}.`);
    }
  }
  return { state, problems };
}

/**
 * @param {string | null} text One probability for all steps, or one for each, with commas.
 * @param {State} state Changed.
 * @param {string[]} problems Changed.
 */
function readSuccess(text, state, problems) {
  const parts = (text ?? String(SUCCESS_START)).split(",");
  const values = parts.map((part) => numberWithin(part, SUCCESS_LOW, SUCCESS_HIGH));
  const fits = values.length === 1 || values.length === state.dials.H;
  if (values.some(Number.isNaN) || !fits) {
    const allowed = `one number from ${SUCCESS_LOW} to ${SUCCESS_HIGH}, or one for each of ${state.dials.H} steps`;
    problems.push(refusal("q", text, allowed));
  }
  const usable = fits && !values.some(Number.isNaN);
  const shown = usable ? values : [SUCCESS_START];
  state.success = shown.length === 1 ? Array(state.dials.H).fill(shown[0]) : shown;
}

/**
 * @param {URLSearchParams} given
 * @param {State} state Changed.
 * @param {string[]} problems Changed.
 * @param {string[]} known Names of the methods.
 */
function readChoices(given, state, problems, known) {
  const scope = given.get("scope");
  if (scope !== null && !SCOPES.includes(scope)) {
    problems.push(refusal("scope", scope, SCOPES.join(" or ")));
  } else if (scope !== null) {
    state.scope = /** @type {State["scope"]} */ (scope);
  }

  const methods = given.get("methods");
  const chosen = methods === null ? state.methods : methods.split(",");
  const strange = chosen.filter((name) => !known.includes(name));
  if (strange.length > 0) {
    problems.push(refusal("methods", methods, `some of ${known.join(", ")}`));
  } else {
    state.methods = known.filter((name) => chosen.includes(name));
  }

  const seed = given.get("seed");
  const value = seed === null ? state.seed : numberWithin(seed, 1, 1e9, true);
  if (Number.isNaN(value)) {
    problems.push(refusal("seed", seed, "a whole number from 1"));
  } else {
    state.seed = value;
  }
  state.open = (given.get("open") ?? "").split(",").filter((name) => name !== "");
}

/**
 * @param {State} state
 * @returns {string} What stands behind the # of the address: only what differs from the opening state.
 */
function writeAddress(state) {
  const opening = openingState();
  const parts = [];
  for (const dial of DIALS) {
    if (state.dials[dial.name] !== dial.start) {
      parts.push(`${dial.name}=${state.dials[dial.name]}`);
    }
  }
  const same = state.success.every((value) => value === state.success[0]);
  if (!same || state.success[0] !== SUCCESS_START) {
    parts.push(`q=${same ? state.success[0] : state.success.join(",")}`);
  }
  if (state.scope !== opening.scope) {
    parts.push(`scope=${state.scope}`);
  }
  if (state.methods.join() !== opening.methods.join()) {
    parts.push(`methods=${state.methods.join(",")}`);
  }
  if (state.seed !== opening.seed) {
    parts.push(`seed=${state.seed}`);
  }
  if (state.open.length > 0) {
    parts.push(`open=${state.open.join(",")}`);
  }
  return parts.join("&");
}

/**
 * @param {State} state
 * @param {string} method
 * @returns {Setting} For the engine.
 */
function settingOf(state, method) {
  const { H, G, beta, gamma, miss, alarm } = state.dials;
  return { method, groupSize: G, horizon: H, beta, gamma, scope: state.scope, miss, falseAlarm: alarm };
}

/**
 * @param {State} state
 * @returns {number[][]} Logits of the steps of every question.
 */
function questionsOf(state) {
  const centre = state.success.map(logit);
  const spread = state.dials.spread;
  return spread === 0 ? [centre] : QUANTILES.map((z) => centre.map((value) => value + spread * z));
}
