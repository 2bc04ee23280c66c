// The lines of Python that compute what is on the screen. Each prints the name of a number on the page and its value.
"use strict";

/** @param {ArrayLike<number>} values @returns {string} A Python list with all digits. */
function pythonList(values) {
  return `[${Array.from(values).join(", ")}]`;
}

/** @param {State} state @param {string} method @returns {string} */
function pythonRule(state, method) {
  const { G, beta, gamma } = state.dials;
  const coloured = COLOURED.includes(method) ? `, beta=${beta}, gamma=${gamma}, scope="${state.scope}"` : "";
  return `rule("${method}", group_size=${G}${coloured})`;
}

/** @param {State} state @returns {string} A loop over the methods that are drawn. */
function pythonLoop(state) {
  return `for method in (${state.methods.map((name) => pythonRule(state, name)).join(", ")},):`;
}

/** @param {State} state @returns {string} The question, or the questions, at the start. */
function pythonQuestions(state) {
  const success = pythonList(state.success);
  if (state.dials.spread === 0) {
    return `chain = ReasoningChain(step_success=${success})`;
  }
  return `\
middle = ReasoningChain(step_success=${success})
z = np.array(${pythonList(QUANTILES)})  # quantiles of three equally likely questions
chain = ReasoningChain(logits=middle.logits + ${state.dials.spread} * z[:, None])`;
}

/** @param {State} state @returns {string} */
function pythonCurves(state) {
  const { H, miss, alarm, updates, rate } = state.dials;
  const judged = miss > 0 || alarm > 0;
  const follow = judged
    ? `\
    update = judged_update_function(chain, method)
    logits = [chain.logits]
    for _ in range(${updates}):
        logits.append(logits[-1] + ${rate} * update(logits[-1], confusion(${H}, ${miss}, ${alarm})))
    curve = records(np.stack(logits), method.group_size)`
    : `    curve = solve(chain, method, steps=${updates}, learning_rate=${rate}, reusable=False)`;
  const imports = judged
    ? `
from spo_theory import ReasoningChain, rule
from spo_theory.dynamics.maps import records, updates_to
from spo_theory.outcomes.judged import confusion, judged_update_function`
    : `
from spo_theory import ReasoningChain, rule, solve
from spo_theory.dynamics.maps import updates_to`;

  return `import numpy as np
${imports}

${pythonQuestions(state)}
${pythonLoop(state)}
${follow}
    print(f"{method.name}-success", curve["success"].iloc[-1])
    print(f"{method.name}-all-negative", curve["all_negative"].iloc[-1])
    print(f"{method.name}-half", updates_to(curve))
`;
}

/** @param {State} state @param {Rollout[]} responses @returns {string} */
function pythonGroup(state, responses) {
  const { H, G } = state.dials;
  return `import numpy as np

from spo_theory import ReasoningChain, rule
from spo_theory.group import Group

chain = ReasoningChain(step_success=${pythonList(state.success)})
print("success", float(chain.success))
print("silent", float(chain.all_negative(${G})))

outcome = np.array(${pythonList(responses.map((response) => response.outcome))})
heard = np.array(${pythonList(responses.map((response) => response.heard))})
log_prob = np.asarray(chain.world().model.step_log_probs(chain.logits, ()))[outcome]
group = Group(outcome == ${H}, heard, np.ones((${G}, ${H})), log_prob=log_prob)
${pythonLoop(state)}
    for place, advantage in enumerate(method.group_advantages(group)):
        print(f"{method.name}-advantage-{place + 1}", advantage)
`;
}

/** @param {State} state @returns {string} */
function pythonSteps(state) {
  const { H, miss, alarm } = state.dials;
  return `import numpy as np

from spo_theory import ReasoningChain, rule
from spo_theory.outcomes.judged import confusion, judged_update_function

chain = ReasoningChain(step_success=${pythonList(state.success)})
${pythonLoop(state)}
    update = judged_update_function(chain, method)(chain.logits, confusion(${H}, ${miss}, ${alarm}))
    for step, change in enumerate(np.asarray(update)):
        print(f"{method.name}-update-{step + 1}", change)
`;
}

/** @param {State} state @param {string} method @returns {string} */
function pythonMap(state, method) {
  const { H, G, miss, alarm } = state.dials;
  return `import numpy as np

from spo_theory import ReasoningChain, rule
from spo_theory.outcomes.judged import confusion, judged_update_function

grid = np.array(${pythonList(MAP_GRID)})
early, last = np.meshgrid(grid, grid)
steps = np.concatenate([np.repeat(early.reshape(-1, 1), ${H - 1}, axis=1), last.reshape(-1, 1)], axis=1)
chain = ReasoningChain(step_success=np.concatenate([steps, [${pythonList(state.success)}]]))

def rate(method):
    """How fast success rises: its gradient in the logits times the expected update."""
    update = judged_update_function(chain, method)(chain.logits, confusion(${H}, ${miss}, ${alarm}))
    return chain.success * np.sum((1 - chain.step_success) * np.asarray(update), axis=-1)

gain = rate(${pythonRule(state, method)}) - rate(${pythonRule(state, "grpo")})
print("map-here", gain[-1])
print("map-best", gain[:-1].max())
print("map-worst", gain[:-1].min())
`;
}

/** @param {State} state @param {{method: string, size: number}[]} rows @returns {string} */
function pythonCosts(state, rows) {
  const { updates, rate } = state.dials;
  const rules = rows.map(({ method, size }) =>
    `    ${pythonRule({ ...state, dials: { ...state.dials, G: size } }, method)},\n`,
  );
  return `import numpy as np

from spo_theory import ReasoningChain, rule, solve
from spo_theory.dynamics.maps import updates_to

${pythonQuestions(state)}
for method in (
${rules.join("")}):
    curve = solve(chain, method, steps=${updates}, learning_rate=${rate}, reusable=False)
    half = updates_to(curve)
    print(f"cost-{method.name}-{method.group_size}-half", half)
    sampled = 0 if method.name == "imitation" else method.group_size
    print(f"cost-{method.name}-{method.group_size}-responses", half * sampled)
`;
}

/** @param {any} settings Of a recorded network. @returns {string} How to train it again; takes some minutes. */
function pythonRun(settings) {
  const { name, horizon, optimizer, learning_rate, updates, start_accuracy, seeds, level } = settings;
  const base =
    `TrainConfig(horizon=${horizon}, optimizer="${optimizer}", learning_rate=${learning_rate}, ` +
    `updates=${updates}, start_accuracy=${start_accuracy})`;
  return `import pandas as pd

from paper_repro.forecast.comparison import compare
from paper_repro.forecast.configuration import Configuration
from paper_repro.forecast.forecast import forecast, train_network
from toy_llm.config import TrainConfig

spec = Configuration("${name}", ${base}, starts=(${seeds.join(", ")}), runs=1, levels=("${level}",), points=${updates})
rows = [forecast(spec, start, spec.levels[0]) for start in spec.starts]
rows += [train_network(spec, rule, seed) for seed in spec.seeds for rule in spec.rules]
print(compare(pd.concat(rows)))  # takes some minutes
`;
}
