// The page: controls on one side, views on the other, the state between them.
"use strict";

/** @type {Record<string, {label: string, colour: string}>} Looks of the methods, from the registry in Python. */
const LOOKS = JSON.parse(document.getElementById("looks").textContent);
const KNOWN = METHOD_NAMES.filter((name) => name in LOOKS);

/** Milliseconds for which the sliders must rest before the slow views are drawn. */
const REST = 120;

/** The timer of the slow views. */
let waiting = 0;

/** @type {State} */
let state = openingState();

/**
 * @returns {Scene} For the current state; what a view asks for twice is computed once.
 */
function makeScene() {
  /** @type {Map<string, Form>} */
  const forms = new Map();
  /** @type {Map<string, Curve>} */
  const curves = new Map();
  /** @param {string} method */
  const form = (method) => {
    const found = forms.get(method) ?? prepare(settingOf(state, method));
    forms.set(method, found);
    return found;
  };
  /** @param {string} method */
  const curve = (method) => {
    const found = curves.get(method) ?? solve(form(method), questionsOf(state), state.dials.updates, state.dials.rate);
    curves.set(method, found);
    return found;
  };
  return { state, looks: LOOKS, form, curve };
}

/** @param {string} name @returns {HTMLElement} */
function byId(name) {
  return /** @type {HTMLElement} */ (document.getElementById(name));
}

/** Draw the views that take longer. @param {Scene} scene */
function showSlow(scene) {
  for (const view of VIEWS.filter(({ slow }) => slow)) {
    show(view, scene);
  }
  document.body.dataset.settled = document.body.dataset.draws;
}

/** Draw everything anew, and write the state into the address. */
function update() {
  const begun = performance.now();
  const scene = makeScene();
  for (const view of VIEWS.filter(({ slow }) => !slow)) {
    show(view, scene);
  }
  clearTimeout(waiting);
  waiting = setTimeout(showSlow, REST, scene);
  const address = writeAddress(state);
  history.replaceState(null, "", `#${address}`);
  document.body.dataset.milliseconds = String(performance.now() - begun);
  document.body.dataset.draws = String(Number(document.body.dataset.draws ?? 0) + 1);
}

/**
 * @param {View} view
 * @param {Scene} scene
 */
function show(view, scene) {
  const section = byId(view.name);
  const body = /** @type {HTMLElement} */ (section.querySelector(".body"));
  const revealed = state.open.includes(view.name);
  const focused = body.contains(document.activeElement) ? document.activeElement?.id : "";
  const asked = /** @type {HTMLElement} */ (section.querySelector(".question"));
  try {
    asked.textContent = view.question(scene);
    if (revealed) {
      const code = html("details", { class: "code" }, [
        html("summary", {}, ["Show the code"]),
        html("pre", { tabindex: 0 }, [html("code", {}, [view.code(scene)])]),
      ]);
      code.toggleAttribute("open", body.querySelector("details[open]") !== null);
      body.replaceChildren(...view.draw(scene), html("p", { class: "explanation" }, view.explain(scene)), code);
    } else {
      body.replaceChildren(guessForm(view, scene));
    }
  } catch (error) {
    if (!(error instanceof NoExactForm)) {
      throw error;
    }
    body.replaceChildren(html("p", { class: "problem", role: "alert" }, [error.message]));
  }

  // What the keyboard was on is drawn anew, and keeps the focus
  if (focused) {
    document.getElementById(focused)?.focus();
  }
}

/**
 * @param {View} view
 * @param {Scene} scene
 * @returns {HTMLElement} The question's answers to choose from; choosing one reveals the view.
 */
function guessForm(view, scene) {
  const buttons = view.options(scene).map((option, place) => {
    const button = html("button", { type: "button", class: "guess" }, [option]);
    button.addEventListener("click", () => reveal(view, place));
    return button;
  });
  const skip = html("button", { type: "button", class: "quiet" }, ["just show me"]);
  skip.addEventListener("click", () => reveal(view, -1));
  return html("div", { class: "guesses", role: "group", "aria-label": "Your guess" }, [...buttons, skip]);
}

/**
 * @param {View} view
 * @param {number} guess Place of the option, -1 for none.
 */
function reveal(view, guess) {
  state.open = [...state.open, view.name];
  const scene = makeScene();
  const verdict = /** @type {HTMLElement} */ (byId(view.name).querySelector(".verdict"));
  if (guess >= 0) {
    const options = view.options(scene);
    const answer = view.answer(scene);
    verdict.textContent =
      guess === answer ? `Right: ${options[answer]}.` : `You guessed “${options[guess]}”. It is: ${options[answer]}.`;
  }
  update();
  if (view.slow) {
    show(view, scene);
  }
  verdict.focus();
}

/** Make the controls once; they change the state and then everything is drawn. */
function makeControls() {
  for (const dial of DIALS) {
    byId("dials").append(dialControl(dial));
  }
  for (const name of KNOWN) {
    const box = html("input", { type: "checkbox", id: `method-${name}` });
    box.addEventListener("change", () => {
      const chosen = KNOWN.filter((known) => /** @type {HTMLInputElement} */ (byId(`method-${known}`)).checked);
      state.methods = chosen.length > 0 ? chosen : [name];
      fillControls();
      update();
    });
    const label = html("label", { style: `--colour:${LOOKS[name].colour}`, class: "method" }, [box, LOOKS[name].label]);
    byId("methods").append(label);
  }

  byId("scope").addEventListener("change", (event) => {
    const select = /** @type {HTMLSelectElement} */ (event.target);
    state.scope = /** @type {State["scope"]} */ (select.value);
    update();
  });
  byId("readings").addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target);
    if (button.dataset.beta) {
      state.dials.beta = Number(button.dataset.beta);
      state.dials.gamma = Number(button.dataset.gamma);
      fillControls();
      update();
    }
  });
  byId(GROUP_VIEW.name).addEventListener("click", (event) => {
    if (/** @type {HTMLElement} */ (event.target).classList.contains("again")) {
      state.seed += 1;
      update();
    }
  });
  byId(MAP_VIEW.name).addEventListener("click", (event) => {
    const { early, last } = /** @type {HTMLElement} */ (event.target).dataset;
    if (early && last) {
      state.success = [...Array(state.dials.H - 1).fill(Number(early)), Number(last)];
      fillControls();
      update();
    }
  });
  byId(RUN_VIEW.name).addEventListener("click", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.classList.contains("which")) {
      replay.which = Number(target.dataset.which);
      replay.until = Infinity;
      update();
    } else if (target.classList.contains("play")) {
      playRun();
    }
  });
  byId("reset").addEventListener("click", () => {
    const open = state.open;
    state = { ...openingState(), open };
    fillControls();
    update();
  });
  byId("light").addEventListener("click", switchLight);
}

/**
 * @param {Dial} dial
 * @returns {HTMLElement}
 */
function dialControl(dial) {
  const range = { min: dial.low, max: dial.name === "gamma" ? 1 : dial.high, step: dial.step };
  const slider = html("input", { type: "range", id: `dial-${dial.name}`, ...range, "aria-label": dial.label });
  const output = html("output", { id: `value-${dial.name}`, for: `dial-${dial.name}` });
  slider.addEventListener("input", () => {
    state.dials[dial.name] = Number(/** @type {HTMLInputElement} */ (slider).value);
    if (dial.name === "H") {
      const last = state.success[state.success.length - 1];
      state.success = Array.from({ length: state.dials.H }, (_, step) => state.success[step] ?? last);
    }
    fillControls();
    update();
  });
  return html("label", { class: "dial", title: dial.help }, [html("span", {}, [dial.label]), output, slider]);
}

/** Sliders for the success of the steps: one for all, and one for each. */
function fillSteps() {
  const holder = byId("steps-of-question");
  if (holder.children.length !== state.dials.H) {
    holder.replaceChildren(
      ...state.success.map((_, step) => stepControl(`step ${step + 1}`, `q-${step + 1}`, (value) => {
        state.success[step] = value;
      })),
    );
  }
  state.success.forEach((value, step) => fillStep(`q-${step + 1}`, value));
  const mean = state.success.reduce((sum, value) => sum + value, 0) / state.success.length;
  fillStep("q-all", mean);
}

/** @param {string} id @param {number} value */
function fillStep(id, value) {
  /** @type {HTMLInputElement} */ (byId(id)).value = String(value);
  byId(`${id}-value`).textContent = value.toFixed(2);
}

/**
 * @param {string} label
 * @param {string} id
 * @param {(value: number) => void} change
 * @returns {HTMLElement}
 */
function stepControl(label, id, change) {
  const range = { min: SUCCESS_LOW, max: SUCCESS_HIGH, step: 0.01 };
  const slider = html("input", { type: "range", id, ...range, "aria-label": `accuracy of ${label}` });
  slider.addEventListener("input", () => {
    change(Number(/** @type {HTMLInputElement} */ (slider).value));
    fillSteps();
    update();
  });
  return html("label", { class: "dial" }, [html("span", {}, [label]), html("output", { id: `${id}-value`, for: id }), slider]);
}

/** Set all controls to the state. */
function fillControls() {
  for (const dial of DIALS) {
    /** @type {HTMLInputElement} */ (byId(`dial-${dial.name}`)).value = String(state.dials[dial.name]);
    byId(`value-${dial.name}`).textContent = shown(state.dials[dial.name]);
  }
  for (const name of KNOWN) {
    /** @type {HTMLInputElement} */ (byId(`method-${name}`)).checked = state.methods.includes(name);
  }
  /** @type {HTMLSelectElement} */ (byId("scope")).value = state.scope;
  fillSteps();
}

/** Draw the recorded training update by update, in about four seconds. */
function playRun() {
  const run = RECORD[replay.which];
  const began = performance.now();
  const scene = makeScene();
  /** @param {number} now */
  function frame(now) {
    replay.until = Math.floor(((now - began) / 4000) * run.settings.updates);
    show(RUN_VIEW, scene);
    if (replay.until < run.settings.updates) {
      requestAnimationFrame(frame);
    }
  }
  requestAnimationFrame(frame);
}

/** Light becomes dark and dark becomes light. */
function switchLight() {
  const root = document.documentElement;
  const dark = root.dataset.light ? root.dataset.light === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.light = dark ? "light" : "dark";
}

/** Take the state from the address, and say what in it was not understood. */
function readPage() {
  const { state: read, problems } = readAddress(location.hash.slice(1), KNOWN);
  state = read;
  byId("problems").replaceChildren(...problems.map((problem) => html("p", {}, [problem])));
  byId("problems").hidden = problems.length === 0;
  fillControls();
  update();
}

byId("every-step").append(stepControl("every step", "q-all", (value) => {
  state.success = state.success.map(() => value);
}));
makeControls();
/** @type {HTMLDetailsElement} */ (byId("settings")).open = innerWidth > 800; // on a phone the views come first
readPage();
window.addEventListener("hashchange", readPage);
