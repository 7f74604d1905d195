/* What the pages do in the browser: theme, sorting, filters kept in the address, downloads, answers over the truth.
   Names come from outside: they reach the page as textContent alone. */
"use strict";

(() => {
  const RESAMPLES = 2000;
  const ABSENT = "–";
  const LONG = 99.5;
  const root = document.documentElement;

  /* The theme is set before anything is drawn; where nothing is stored, the system's holds. */
  const THEME = "peabench-theme";
  const stored = (() => { try { return localStorage.getItem(THEME); } catch { return null; } })();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;

  function setUpTheme() {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const tell = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem(THEME, root.dataset.theme); } catch { /* it then lasts until the next page */ }
      tell();
    });
    system.addEventListener("change", tell);
    button.hidden = false;
    tell();
  }

  /* The address: what is behind # is either the name of a place on the page, or a state such as size=s&size=m. */
  const readState = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  function writeState(state) {
    const text = state.toString();
    const place = text ? `#${text}` : location.href.split("#")[0].split("/").pop() || "./";
    try { history.replaceState(null, "", place); } catch { if (text) location.hash = text; }
  }

  function setUpAnchors() {
    for (const link of document.querySelectorAll('a[href*="#"]')) {
      const [page, name] = link.href.split("#");
      if (page !== location.href.split("#")[0]) continue;
      link.addEventListener("click", (event) => {
        const place = document.getElementById(name);
        if (!place) return;
        event.preventDefault(); // the address keeps its state
        if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
        place.focus({ preventScroll: true });
        place.scrollIntoView();
      });
    }
  }

  /* Figures, written as peabench_leaderboard/site/figures.py writes them. */
  const fixed = (value, digits) => {
    if (value === null) return ABSENT;
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
  };
  const significant = (value) => String(Number((value * (1 + 1e-12)).toPrecision(2)));
  const scaled = (value, units) => {
    const rounded = Number(significant(value));
    const unit = units.find(([size]) => rounded >= size);
    return unit ? significant(value / (unit[0] || 1)) + unit[1] : significant(value);
  };
  const write = {
    score: (value) => fixed(value, 3),
    interval: (bounds) => (bounds ? `${fixed(bounds[0], 2)} to ${fixed(bounds[1], 2)}` : ABSENT),
    rank: (place, bounds) => {
      if (place === null) return ABSENT;
      return !bounds || bounds[0] === bounds[1] ? String(place) : `${place} (${bounds[0]}–${bounds[1]})`;
    },
    count: (value) => (value === null ? ABSENT : scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"]])),
    seconds: (value) => {
      if (value === null) return ABSENT;
      const suits = [[1, 0.001, "ms"], [LONG, 1, "s"], [60 * LONG, 60, "min"]].find(([most]) => value < most);
      const [, unit, name] = suits ?? [Infinity, 3600, "h"];
      return `${significant(value / unit)} ${name}`;
    },
    size: (value) => (value === null ? ABSENT : scaled(value, [[1e9, " GB"], [1e6, " MB"], [1e3, " kB"], [0, " B"]])),
  };

  /* Statistics: the definitions of peabench.standings, over the tasks that the filters leave. */
  function uniform(seed) { // mulberry32
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  function median(values) {
    const known = values.filter((value) => value !== null).sort((a, b) => a - b);
    if (!known.length) return null;
    const middle = known.length >> 1;
    return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
  }

  function quantile(sorted, share) {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  }

  /* Weights of tasks in a mean over families of means over tasks; planted ones share at most half with others. */
  function weigh(tasks) {
    const sizes = new Map();
    for (const task of tasks) sizes.set(task.family, (sizes.get(task.family) ?? 0) + 1);
    const weights = tasks.map((task) => 1 / (sizes.size * sizes.get(task.family)));
    const planted = tasks.reduce((sum, task, i) => sum + (task.provenance === "planted" ? weights[i] : 0), 0);
    if (planted <= 0.5 || planted > 1 - 1e-9) return weights;
    return weights.map((weight, i) => weight * (0.5 / (tasks[i].provenance === "planted" ? planted : 1 - planted)));
  }

  const mean = (scores, weights) => scores.reduce((sum, score, i) => sum + weights[i] * score, 0);

  /* Means over tasks drawn anew within their families and provenances; scorers with the same tasks meet the same draws. */
  function bootstrap(tasks, scores) {
    const strata = new Map();
    tasks.forEach((task, i) => {
      const stratum = JSON.stringify([task.family, task.provenance]);
      strata.set(stratum, [...(strata.get(stratum) ?? []), i]);
    });
    const members = [...strata.values()];
    if (!members.length || members.some((stratum) => stratum.length < 2)) return null;
    const weights = weigh(tasks);
    const random = uniform(0);
    return Float64Array.from({ length: RESAMPLES }, () => {
      let total = 0;
      for (const stratum of members) {
        for (let draw = 0; draw < stratum.length; draw += 1) {
          const i = stratum[Math.floor(random() * stratum.length)];
          total += weights[i] * scores[i];
        }
      }
      return total;
    });
  }

  const rounded = (value) => Math.round(value * 1e9) / 1e9;

  /* What a board shows of each of its rows for some of its tasks; for all of them, what the site was built with. */
  function summarise(board, chosen) {
    const all = chosen.length === board.tasks.length;
    const found = board.rows.map((row) => {
      const answered = chosen.filter((i) => row.scores[i] !== null);
      const counted = answered.length ? chosen.filter((i) => row.scores[i] !== null || row.declined.includes(i)) : [];
      const tasks = counted.map((i) => board.tasks[i]);
      const scores = counted.map((i) => row.scores[i] ?? 0); // a declined task counts as chance
      const pick = (costs) => median(answered.map((i) => (Array.isArray(costs) ? costs[i] : costs)));
      const kilobytes = pick(row.peak_memory_kilobytes);
      const draws = all ? null : bootstrap(tasks, scores);
      const sorted = draws && Float64Array.from(draws).sort();
      return {
        row,
        draws,
        score: all ? row.score : scores.length ? mean(scores, weigh(tasks)) : null,
        interval: all ? row.interval : sorted && [quantile(sorted, 0.025), quantile(sorted, 0.975)],
        rank: all ? row.rank : null,
        rank_interval: all ? row.rank_interval : null,
        answered: answered.length,
        counted: counted.length,
        asked: chosen.length,
        forward: pick(row.forward_passes),
        backward: pick(row.backward_passes),
        seconds: pick(row.wall_seconds),
        memory: kilobytes === null ? null : Math.round(1000 * kilobytes),
      };
    });
    if (!all) addRanks(found.filter((one) => one.row.role === "method" && one.counted === one.asked && one.asked));
    return found;
  }

  function addRanks(ranked) {
    const place = (values) => values.map((one) => 1 + values.filter((other) => rounded(other) > rounded(one)).length);
    place(ranked.map((one) => one.score)).forEach((rank, i) => { ranked[i].rank = rank; });
    if (!ranked.length || ranked.some((one) => !one.draws)) return;
    const places = ranked.map(() => new Float64Array(RESAMPLES));
    for (let draw = 0; draw < RESAMPLES; draw += 1) {
      place(ranked.map((one) => one.draws[draw])).forEach((rank, i) => { places[i][draw] = rank; });
    }
    places.forEach((found, i) => {
      found.sort();
      const at = (share) => found[Math.ceil(share * RESAMPLES) - 1];
      ranked[i].rank_interval = [at(0.025), at(0.975)];
    });
  }

  /* Boards. */
  const FIRST_DIRECTION = { name: 1, score: -1, illusions: -1, rank: 1, coverage: -1, passes: 1, seconds: 1, memory: 1, supervision: 1 };
  const sortValue = {
    name: (one) => one.row.label,
    score: (one) => one.score,
    illusions: (one) => one.row.illusions, // over tasks of their own, whatever the filters
    rank: (one) => one.rank,
    coverage: (one) => (one.asked ? one.answered / one.asked : null),
    passes: (one) => (one.forward === null ? null : one.forward + one.backward),
    seconds: (one) => one.seconds,
    memory: (one) => one.memory,
    supervision: (one) => one.row.supervision,
  };

  function sorted(summaries, key, direction) {
    const value = sortValue[key];
    return [...summaries].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return direction * (typeof a === "string" ? a.localeCompare(b) : a - b);
    });
  }

  function paint(summary, line, low) {
    const cell = (name, text) => { line.querySelector(`[data-cell="${name}"]`).textContent = text; };
    cell("score", write.score(summary.score));
    cell("interval", write.interval(summary.interval));
    cell("rank", write.rank(summary.rank, summary.rank_interval));
    cell("coverage", `${summary.answered}/${summary.asked}`);
    if (line.querySelector('[data-cell="passes"]')) cell("passes", summary.forward === null ? ABSENT : `${write.count(summary.forward)} + ${write.count(summary.backward)}`);
    cell("seconds", write.seconds(summary.seconds));
    cell("memory", write.size(summary.memory));
    const bar = line.querySelector("svg.bar");
    const width = bar.viewBox.baseVal.width;
    const at = (value) => 5 + ((width - 10) * (Math.min(1, Math.max(low, value)) - low)) / (1 - low);
    const [from, to] = summary.interval ?? [summary.score, summary.score];
    for (const mark of bar.querySelectorAll(".range, .point")) mark.classList.toggle("gone", summary.score === null);
    if (summary.score === null) return;
    bar.querySelector(".range")?.setAttribute("x1", at(from));
    bar.querySelector(".range")?.setAttribute("x2", at(to));
    bar.querySelector(".point")?.setAttribute("cx", at(summary.score));
  }

  function setUpBoards(data) {
    const form = document.getElementById("filters");
    const total = new Set(data.boards.flatMap((board) => board.tasks.map(([id]) => id))).size;
    const boards = data.boards.map((board) => ({
      ...board,
      tasks: board.tasks.map(([id, ...values]) => ({ id, ...Object.fromEntries(data.filters.map((name, i) => [name, values[i]])) })),
      section: document.querySelector(`[data-board="${board.key}"]`),
      sort: { key: "score", direction: -1 },
    }));
    const passes = (task, filters) => data.filters.every((name) => !filters[name].length || filters[name].includes(task[name]));

    function filtersShown() {
      const boxes = [...form.querySelectorAll("input")];
      return Object.fromEntries(data.filters.map((name) => [name, boxes.filter((box) => box.name === name && box.checked).map((box) => box.value)]));
    }

    function show() {
      const filters = filtersShown();
      for (const folded of form.querySelectorAll("details")) folded.open ||= folded.querySelector(":checked") !== null;
      const kept = new Set();
      for (const board of boards) {
        const chosen = board.tasks.flatMap((task, i) => (passes(task, filters) ? [i] : []));
        for (const i of chosen) kept.add(board.tasks[i].id);
        board.filters = filters;
        board.chosen = chosen;
        board.summaries = summarise(board, chosen);
        board.summaries.forEach((summary, i) => paint(summary, board.section.querySelector(`tr[data-row="${i}"]`), board.low));
        arrange(board);
      }
      const narrowed = kept.size < total;
      document.getElementById("selected").textContent = narrowed ? `${kept.size} of ${total} tasks; means and intervals are computed anew.` : `All ${total} tasks.`;
      document.getElementById("reset").hidden = !Object.values(filters).some((values) => values.length);
      for (const seed of document.querySelectorAll("[data-task]")) seed.classList.toggle("out", !kept.has(seed.dataset.task));
    }

    function arrange(board) {
      const { key, direction } = board.sort;
      board.shown = sorted(board.summaries, key, direction);
      const body = board.section.querySelector("tbody");
      body.append(...board.shown.map((summary) => body.querySelector(`tr[data-row="${board.rows.indexOf(summary.row)}"]`)));
      for (const header of board.section.querySelectorAll("th[data-sort]")) {
        if (header.dataset.sort === key) header.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        else header.removeAttribute("aria-sort");
      }
    }

    function remember() {
      const state = new URLSearchParams();
      for (const [name, values] of Object.entries(filtersShown())) for (const value of values) state.append(name, value);
      for (const board of boards) {
        const { key, direction } = board.sort;
        if (key !== "score" || direction !== -1) state.append("sort", `${board.key}.${key}.${direction > 0 ? "up" : "down"}`);
      }
      writeState(state);
    }

    function recall() {
      const state = readState();
      for (const box of form.querySelectorAll("input")) box.checked = state.getAll(box.name).includes(box.value);
      for (const board of boards) {
        const told = state.getAll("sort").map((text) => text.split(".")).find((parts) => parts.slice(0, -2).join(".") === board.key);
        const [key, way] = told ? told.slice(-2) : ["score", "down"];
        board.sort = Object.hasOwn(sortValue, key) ? { key, direction: way === "up" ? 1 : -1 } : { key: "score", direction: -1 };
      }
      show();
    }

    for (const board of boards) {
      for (const header of board.section.querySelectorAll("th[data-sort]")) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...header.childNodes);
        header.append(button);
        button.addEventListener("click", () => {
          const key = header.dataset.sort;
          board.sort = { key, direction: board.sort.key === key ? -board.sort.direction : FIRST_DIRECTION[key] };
          arrange(board);
          remember();
        });
      }
      const downloads = board.section.querySelector(".downloads");
      downloads.hidden = false;
      for (const button of downloads.querySelectorAll("button")) {
        button.addEventListener("click", () => download(board, button.dataset.download));
      }
    }
    form.addEventListener("change", () => { show(); remember(); });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const box of form.querySelectorAll("input")) box.checked = false;
      show();
      remember();
      form.querySelector("input")?.focus();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", () => { if (location.hash.includes("=") || !location.hash) recall(); });
    form.hidden = false;
    recall();
  }

  /* Downloads of a board as it is shown. */
  function download(board, kind) {
    const rows = board.shown.map((one) => ({
      track: board.track,
      track_version: board.version,
      scorer: one.row.name,
      scorer_version: one.row.version,
      role: one.row.role,
      badges: one.row.badges.join(" "),
      seed: one.row.seed,
      device: one.row.device,
      score: one.score,
      interval_low: one.interval ? one.interval[0] : null,
      interval_high: one.interval ? one.interval[1] : null,
      rank: one.rank,
      rank_low: one.rank_interval ? one.rank_interval[0] : null,
      rank_high: one.rank_interval ? one.rank_interval[1] : null,
      answered: one.answered,
      asked: one.asked,
      forward_passes: one.forward,
      backward_passes: one.backward,
      wall_seconds: one.seconds,
      peak_memory_bytes: one.memory,
      supervision: one.row.supervision,
    }));
    const told = { track: board.track, filters: board.filters, tasks: board.chosen.map((i) => board.tasks[i].id), rows };
    const text = kind === "json" ? `${JSON.stringify(told, null, 1)}\n` : asCsv(rows);
    const address = URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `peabench-${board.key}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  function asCsv(rows) {
    const cell = (value) => {
      const text = value === null ? "" : String(value);
      const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // no formula for a spreadsheet
      return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
    };
    const names = Object.keys(rows[0] ?? {});
    return [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
  }

  /* A task's page: one scorer's answer at a time over the truth; the address names it. */
  function setUpAnswers() {
    const figures = [...document.querySelectorAll("[data-figure]")].filter((section) => section.querySelector(".chooser"));
    const labelOf = (radio) => radio.parentElement.textContent.trim();

    function show(section) {
      const chosen = section.querySelector('.chooser input:checked')?.value ?? "";
      section.classList.toggle("overlaid", chosen !== "");
      for (const overlay of section.querySelectorAll("g.overlay")) overlay.classList.toggle("shown", overlay.dataset.answer === chosen);
      for (const words of section.querySelectorAll(".in-words")) words.hidden = words.dataset.answer !== chosen;
      section.querySelector(".legend.answers").hidden = chosen === "";
      for (const box of section.querySelectorAll('.legend input[type="checkbox"]')) {
        section.classList.toggle(`without-${box.value}`, !box.checked);
      }
    }

    function remember() {
      const state = new URLSearchParams();
      for (const section of figures) {
        const radio = section.querySelector(".chooser input:checked");
        if (radio?.value) state.append(section.dataset.figure, labelOf(radio));
      }
      writeState(state);
    }

    function recall() {
      const state = readState();
      for (const section of figures) {
        const label = state.get(section.dataset.figure);
        const radios = [...section.querySelectorAll(".chooser input")];
        (radios.find((radio) => radio.value && labelOf(radio) === label) ?? radios[0]).checked = true;
        show(section);
      }
    }

    for (const section of figures) {
      section.querySelector(".chooser").hidden = false;
      section.addEventListener("change", () => { show(section); remember(); });
    }
    if (figures.length) {
      addEventListener("hashchange", () => { if (location.hash.includes("=") || !location.hash) recall(); });
      recall();
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    setUpTheme();
    setUpAnchors();
    if (window.PEABENCH) setUpBoards(window.PEABENCH);
    setUpAnswers();
    root.dataset.ready = "";
  });

  /* Tests set PEABENCH_TEST beforehand, to hold these functions against those in Python. */
  if (window.PEABENCH_TEST) Object.assign(window.PEABENCH_TEST, { summarise, write, weigh, bootstrap });
})();
