// Expected standardized advantages for any group size. Derived in docs/theory/expected-advantages.md#quadrature.
//
// 1 / std is an integral over u, and exp(-u variance) one over the group's mean m. At a node (u, m) the responses are
// independent: a response of class c has the factor exp(-(u / G) (r_c - m)^2). This engine aims at 1e-11, the one in
// Python at 1e-15, so its nodes are further apart.
"use strict";

const LOG_STEP = 0.36; // spacing in t; the error falls like exp(-pi^2 / spacing)
const MEAN_STEP = 0.88; // spacing in standard deviations; the error falls like exp(-2 pi^2 / spacing^2)
const NEGLIGIBLE = 28; // exp(-28) is 1e-12
const DROPPED = 1e-14; // share of a result below which a node is left out
const LOWEST = -4.05; // t at which the outer rule starts
const UNSEEN = 1e-15; // what a node may add at most to be passed over for the probabilities at hand

/**
 * Nodes at which the same run of classes has factors that are not negligible.
 * @typedef {Object} Run
 * @property {number} first First class of the run.
 * @property {number} classes How many.
 * @property {number} heaviest The largest weight of a node.
 * @property {Float64Array} weight Of each node.
 * @property {Float64Array} factor exp(-(u / G) d^2) for each node and class, d the distance of its reward from m.
 * @property {Float64Array} moment The factor times d.
 */

/**
 * Nodes for fixed rewards.
 * @typedef {Object} Nodes
 * @property {number} groupSize
 * @property {number} classes
 * @property {number} range Of the rewards.
 * @property {Run[]} runs
 */

/**
 * @typedef {Object} Lists The nodes of a run while they are collected.
 * @property {number} first
 * @property {number} classes
 * @property {number[]} weight
 * @property {number[]} factor
 * @property {number[]} moment
 */

/**
 * @param {number[]} rewards Of the classes, strictly increasing, at least two.
 * @param {number} groupSize
 * @returns {Nodes}
 */
function quadratureNodes(rewards, groupSize) {
  const range = rewards[rewards.length - 1] - rewards[0];
  const gaps = rewards.slice(1).map((reward, place) => reward - rewards[place]);
  const smallest = Math.min(...gaps) / range;
  const highest = Math.log((NEGLIGIBLE * groupSize ** 2) / (groupSize - 1) / smallest ** 2);

  /** @type {Map<number, Lists>} */
  const lists = new Map();
  for (let t = LOWEST; t < highest + LOG_STEP; t += LOG_STEP) {
    const u = Math.exp(t - Math.exp(-t)) / range ** 2;
    const outer = Math.sqrt(u / Math.PI) * (1 + Math.exp(-t)) * LOG_STEP;
    addNodes(lists, rewards, groupSize, u, outer);
  }

  const runs = Array.from(lists.values(), ({ first, classes, weight, factor, moment }) => ({
    first,
    classes,
    heaviest: Math.max(...weight),
    weight: Float64Array.from(weight),
    factor: Float64Array.from(factor),
    moment: Float64Array.from(moment),
  }));
  return { groupSize, classes: rewards.length, range, runs };
}

/**
 * Add the nodes of one u. Rewards out of each other's reach have their own grids of means, each counted from one of
 * its rewards, so that differences stay exact.
 * @param {Map<number, Lists>} lists By run of classes.
 * @param {number[]} rewards
 * @param {number} groupSize
 * @param {number} u
 * @param {number} outer Weight of this u.
 */
function addNodes(lists, rewards, groupSize, u, outer) {
  const spacing = MEAN_STEP / Math.sqrt(2 * u);
  const reach = Math.sqrt(NEGLIGIBLE / u);
  const weight = (outer * spacing * Math.sqrt(u / Math.PI) * (groupSize - 1)) / groupSize;

  let start = 0;
  while (start < rewards.length) {
    let stop = start + 1;
    while (stop < rewards.length && rewards[stop] - rewards[stop - 1] <= 2 * reach) {
      stop += 1;
    }
    const width = rewards[stop - 1] - rewards[start];
    const last = Math.floor((width + reach) / spacing);
    for (let place = Math.ceil(-reach / spacing); place <= last; place += 1) {
      addNode(lists, rewards, groupSize, u, weight, rewards[start], place * spacing);
    }
    start = stop;
  }
}

/**
 * Add one node, unless it can reach no share of the result.
 * @param {Map<number, Lists>} lists By run of classes.
 * @param {number[]} rewards
 * @param {number} groupSize
 * @param {number} u
 * @param {number} weight
 * @param {number} origin The reward from which the mean is counted.
 * @param {number} mean
 */
function addNode(lists, rewards, groupSize, u, weight, origin, mean) {
  // Factors fall with the distance, so those that count are one run; the two largest bound what the node adds
  let first = -1;
  let stop = 0;
  let nearest = Infinity;
  let second = Infinity;
  for (let place = 0; place < rewards.length; place += 1) {
    const exponent = (u / groupSize) * (rewards[place] - origin - mean) ** 2;
    if (exponent < NEGLIGIBLE) {
      first = first < 0 ? place : first;
      stop = place + 1;
    }
    second = Math.min(second, Math.max(exponent, nearest));
    nearest = Math.min(nearest, exponent);
  }

  // A single class has no partner to differ from
  const range = rewards[rewards.length - 1] - rewards[0];
  const most = weight * range * Math.exp(-second - (groupSize - 1) * nearest);
  if (stop - first < 2 || most <= DROPPED) {
    return;
  }

  const key = first * rewards.length + stop;
  const list = lists.get(key) ?? { first, classes: stop - first, weight: [], factor: [], moment: [] };
  lists.set(key, list);
  list.weight.push(weight);
  for (let place = first; place < stop; place += 1) {
    const distance = rewards[place] - origin - mean;
    const factor = Math.exp((-u / groupSize) * distance * distance);
    list.factor.push(factor);
    list.moment.push(factor * distance);
  }
}

/**
 * @param {number} base
 * @param {number} exponent A whole number, at least 0.
 * @returns {number} base to this power, 1 for 0 to the power of 0.
 */
function wholePower(base, exponent) {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) {
      result *= square;
    }
    square *= square;
  }
  return result;
}

/**
 * @param {Nodes} nodes
 * @param {Float64Array} probabilities Of the classes; they need not sum to 1.
 * @returns {Float64Array} Expected advantage of a response of each class: a form of degree G - 1.
 */
function meanAdvantages(nodes, probabilities) {
  const found = new Float64Array(nodes.classes);
  for (const run of nodes.runs) {
    // Factors are at most 1, so the probability of the run bounds what its nodes can add
    let mass = 0;
    for (let place = run.first; place < run.first + run.classes; place += 1) {
      mass += probabilities[place];
    }
    if (run.heaviest * run.weight.length * wholePower(mass, nodes.groupSize - 1) * nodes.range > UNSEEN) {
      addRun(run, probabilities, nodes.groupSize, found);
    }
  }
  return found;
}

/**
 * @param {Run} run
 * @param {Float64Array} probabilities Of all classes.
 * @param {number} groupSize
 * @param {Float64Array} found Changed: what the nodes of the run contribute is added.
 */
function addRun(run, probabilities, groupSize, found) {
  const { first, classes, weight, factor, moment } = run;
  let cell = 0;
  for (let node = 0; node < weight.length; node += 1) {
    // Mean over one response of the factor, and of the factor times the distance
    let phi = 0;
    let psi = 0;
    for (let place = 0; place < classes; place += 1) {
      phi += probabilities[first + place] * factor[cell + place];
      psi += probabilities[first + place] * moment[cell + place];
    }

    // The sum over partners j of p_j (r_k - r_j) factor_k factor_j
    const share = weight[node] * wholePower(phi, groupSize - 2);
    if (share > UNSEEN) {
      for (let place = 0; place < classes; place += 1) {
        found[first + place] += share * (moment[cell + place] * phi - factor[cell + place] * psi);
      }
    }
    cell += classes;
  }
}
