/* The plots of the report. Runs in the browser, after D3 and Plot; reads the document that is embedded in the page. */
(() => {
  const { d3, Plot } = window;
  const report = JSON.parse(document.getElementById("report").textContent);
  const MS_PER_HOUR = 3_600_000;
  const COLOURS = 10;
  const SYMBOLS = ["circle", "square", "triangle", "hexagon", "wye", "cross"];
  const DASHES = ["7 3", "2 3", "8 3 2 3"];

  /** Colour, shape and dashes together tell autoscalers apart: ten colours are too few, and not everybody sees them. Ours alone is solid. */
  const styleOf = (name) => {
    const ours = report.autoscalers.findIndex((one) => one.kind === "ours" && one.name === name);
    if (ours >= 0) return { colour: "var(--s0)", symbol: "star", dash: "none" };
    const others = report.autoscalers.filter((one) => one.kind !== "ours");
    const index = Math.max(
      0,
      others.findIndex((one) => one.name === name),
    );
    return {
      colour: `var(--s${1 + (index % (COLOURS - 1))})`,
      symbol: others[index]?.kind === "oracle" ? "diamond" : SYMBOLS[index % SYMBOLS.length],
      dash: DASHES[index % DASHES.length],
    };
  };
  const kindOf = (name) => report.autoscalers.find((one) => one.name === name)?.kind ?? "peer";
  const labelOf = ({ autoscaler, parameters }) => `${autoscaler} (${parameters})`;
  const short = d3.format(".3~g");
  const number = (value) => (Math.abs(value) >= 100 ? d3.format(",.0f")(value) : short(value));

  /** Draws now and whenever the width changes. */
  const drawn = (holder, draw) => {
    let width = 0;
    const redraw = () => {
      width = holder.clientWidth;
      if (width > 0) holder.replaceChildren(...draw(width));
    };
    new ResizeObserver(() => {
      if (holder.clientWidth !== width) redraw();
    }).observe(holder);
    redraw();
    return redraw;
  };

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  /* Attainment against GPU-hours */

  const pointsOf = (scenario, slo) =>
    scenario.results.flatMap((result) => {
      const attainment = result.measures.bySlo.find((one) => one.slo === slo)?.values.attainmentRatio;
      const hours = result.measures.values.allocatedGpuHours;
      if (!attainment || !hours) return [];
      const percent = (ratio) => ratio * 100;
      const [low, high] = attainment.interval ?? [attainment.mean, attainment.mean];
      const [least, most] = hours.interval ?? [hours.mean, hours.mean];
      return {
        ...styleOf(result.autoscaler),
        label: labelOf(result),
        name: result.autoscaler,
        kind: kindOf(result.autoscaler),
        tuned: result.parameters === "tuned",
        x: hours.mean,
        y: percent(attainment.mean),
        x1: least,
        x2: most,
        y1: percent(low),
        y2: percent(high),
      };
    });

  const frontierOf = (points) => {
    const competitors = points.filter(({ kind }) => kind !== "oracle");
    return competitors
      .filter(
        (one) =>
          !competitors.some((other) => other.y >= one.y && other.x <= one.x && (other.y > one.y || other.x < one.x)),
      )
      .sort((a, b) => a.x - b.x);
  };

  const say = ({ label, x, y }) => `${label}: ${y.toFixed(1)} % on ${number(x)} GPU-hours`;

  const paretoPlot = (scenario, slo, width) => {
    const points = pointsOf(scenario, slo);
    if (points.length === 0) return [element("p", { className: "note", textContent: "Nothing was measured." })];
    const frontier = frontierOf(points);
    const plot = Plot.plot({
      width,
      height: Math.min(460, Math.max(320, width * 0.55)),
      marginLeft: 48,
      marginBottom: 44,
      marginRight: 20,
      marginTop: 24,
      inset: 18,
      ariaLabel: `SLO attainment against GPU-hours in ${scenario.name}, ${slo}`,
      ariaDescription: points.map(say).join("; "),
      x: {
        label: "GPU-hours allocated (less is better)",
        labelAnchor: "right",
        nice: true,
        ticks: width / 90,
        tickFormat: number,
      },
      y: { label: "SLO attainment, % of requests", grid: true, nice: false },
      marks: [
        Plot.line(frontier, {
          x: "x",
          y: "y",
          curve: "step-after",
          stroke: "currentColor",
          strokeOpacity: 0.45,
          strokeWidth: 1.5,
          ariaLabel: () => "frontier",
        }),
        Plot.ruleY(points, {
          y: "y",
          x1: "x1",
          x2: "x2",
          stroke: "colour",
          strokeOpacity: 0.7,
          ariaLabel: () => "intervals of GPU-hours",
        }),
        Plot.ruleX(points, {
          x: "x",
          y1: "y1",
          y2: "y2",
          stroke: "colour",
          strokeOpacity: 0.7,
          ariaLabel: () => "intervals of attainment",
        }),
        ...points.map((point) =>
          Plot.dot([point], {
            x: "x",
            y: "y",
            symbol: point.symbol,
            r: point.kind === "ours" ? 7 : 5,
            stroke: point.colour,
            strokeWidth: 2,
            fill: point.tuned ? point.colour : "var(--paper)",
            ariaLabel: say,
          }),
        ),
        Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: say })),
      ],
      color: { type: "identity" },
    });
    label(plot, points, new Set(frontier));
    return [plot, legend(points)];
  };

  /** Names beside their marks where there is room; the legend and the table have all of them. */
  const label = (plot, points, frontier) => {
    const [x, y] = [plot.scale("x"), plot.scale("y")];
    const spots = points.map((point) => ({ point, cx: x.apply(point.x), cy: y.apply(point.y) }));
    const taken = spots.flatMap(({ point, cx, cy }) => [
      { left: cx - 8, right: cx + 8, top: cy - 8, bottom: cy + 8 },
      { left: x.apply(point.x1), right: x.apply(point.x2), top: cy - 2, bottom: cy + 2 },
    ]);
    const rank = ({ point }) => (point.kind === "ours" ? 0 : frontier.has(point) ? 1 : point.kind === "oracle" ? 2 : 3);
    const layer = d3
      .select(plot)
      .append("g")
      .attr("aria-hidden", "true")
      .attr("font-size", 11)
      .attr("text-anchor", "start")
      .attr("fill", "currentColor");
    const [right, bottom] = [Number(plot.getAttribute("width")), Number(plot.getAttribute("height")) - 44];
    const named = new Set();
    const most = right < 600 ? 2 : 3;
    for (const { point, cx, cy } of spots.filter((spot) => rank(spot) <= most).sort((a, b) => rank(a) - rank(b))) {
      const wide = 6.6 * point.label.length;
      const places = [
        [cx + 11, cy - 6],
        [cx - 11 - wide, cy - 6],
        [cx - wide / 2, cy - 22],
        [cx - wide / 2, cy + 10],
        [cx + 6, cy - 20],
        [cx + 6, cy + 8],
        [cx - wide - 6, cy - 20],
        [cx - wide - 6, cy + 8],
      ];
      const free = places
        .map(([left, top]) => ({ left, right: left + wide, top, bottom: top + 12 }))
        .find(
          (box) =>
            box.left >= 48 &&
            box.right <= right &&
            box.top >= 0 &&
            box.bottom <= bottom &&
            !taken.some(
              (other) =>
                box.left < other.right && box.right > other.left && box.top < other.bottom && box.bottom > other.top,
            ),
        );
      if (free === undefined || named.has(point.label)) continue;
      named.add(point.label);
      taken.push(free);
      layer
        .append("text")
        .attr("x", free.left)
        .attr("y", free.bottom - 2)
        .attr("font-weight", point.kind === "ours" ? 700 : 400)
        .text(point.label);
    }
  };

  const mark = ({ symbol, colour, filled }) => {
    const types = {
      star: d3.symbolStar,
      circle: d3.symbolCircle,
      square: d3.symbolSquare,
      triangle: d3.symbolTriangle,
      wye: d3.symbolWye,
      cross: d3.symbolCross,
      diamond: d3.symbolDiamond,
    };
    const hexagon = {
      draw: (context, size) => {
        const r = Math.sqrt(size / 2.598);
        for (let corner = 0; corner < 6; corner++) {
          const angle = (corner * Math.PI) / 3 + Math.PI / 2;
          context[corner === 0 ? "moveTo" : "lineTo"](r * Math.cos(angle), r * Math.sin(angle));
        }
        context.closePath();
      },
    };
    const svg = d3
      .create("svg")
      .attr("width", 18)
      .attr("height", 16)
      .attr("viewBox", "-9 -8 18 16")
      .attr("aria-hidden", "true");
    svg
      .append("path")
      .attr("d", d3.symbol(types[symbol] ?? hexagon, 70)())
      .style("stroke", colour)
      .style("fill", filled ? colour : "none")
      .attr("stroke-width", 2);
    return svg.node();
  };

  const legend = (points) =>
    element(
      "ul",
      { className: "legend" },
      ...points.map((point) => element("li", {}, mark({ ...point, filled: point.tuned }), point.label)),
    );

  const showPareto = (figure) => {
    const scenario = report.scenarios[Number(figure.dataset.scenario)];
    const slo = () => figure.querySelector("input:checked").value;
    const redraw = drawn(figure.querySelector(".plot"), (width) => paretoPlot(scenario, slo(), width));
    figure.querySelector("fieldset").addEventListener("change", redraw);
  };

  /* Time lines */

  const linePlot = ({ title, lines, width, y = {}, marks = [], last, hours }) => {
    const heading = element("h4", { textContent: title });
    const known = lines.some(({ points }) => points.some(({ value }) => Number.isFinite(value)));
    if (!known) return [heading, element("p", { className: "note", textContent: "Nothing was measured." })];
    return [
      heading,
      Plot.plot({
        width,
        height: last ? 172 : 140,
        marginLeft: 48,
        marginBottom: last ? 40 : 22,
        marginTop: 10,
        ariaLabel: title,
        x: { domain: [0, hours], label: last ? "hours since the start of the window" : null, ticks: width / 90 },
        y: { grid: true, nice: true, ticks: 4, label: null, tickFormat: number, zero: y.type !== "log", ...y },
        marks: [
          ...marks,
          ...lines.map((line) =>
            Plot.line(line.points, {
              x: "hours",
              y: "value",
              curve: "step-after",
              stroke: line.colour,
              strokeWidth: line.thin ? 1 : 2,
              strokeDasharray: line.dash,
              strokeOpacity: line.thin ? 0.8 : 1,
              ariaLabel: () => line.label,
            }),
          ),
        ],
      }),
    ];
  };

  const linesPlot = (scenario, chosen, width) => {
    const shown = scenario.results.filter((result, index) => chosen.has(index) && result.timeLine);
    if (shown.length === 0) return [element("p", { className: "note", textContent: "No autoscaler is selected." })];
    const slo = report.sloSets[0];
    const series = (result, values, more = {}) => ({
      ...styleOf(result.autoscaler),
      label: labelOf(result),
      points: values.map((value, index) => ({
        hours: (index * result.timeLine.bucketMs) / MS_PER_HOUR,
        value: value ?? Number.NaN,
      })),
      ...more,
    });
    const hours = Math.max(
      ...shown.map(({ timeLine }) => (timeLine.offeredPerSecond.length * timeLine.bucketMs) / MS_PER_HOUR),
    );
    const targets = [...new Set(shown.flatMap(({ timeLine }) => timeLine.targets.map(({ name }) => name)))];
    const [first] = shown;
    const each = (values) => shown.map((result) => series(result, values(result.timeLine)));
    const panels = [
      {
        title: "Offered load, requests per second",
        lines: [
          series(first, first.timeLine.offeredPerSecond, {
            colour: "currentColor",
            dash: "none",
            label: "offered load",
          }),
        ],
      },
      ...targets.map((target) => ({
        title: `Replicas of ${target}`,
        lines: shown.flatMap((result) => {
          const of = result.timeLine.targets.find(({ name }) => name === target);
          if (of === undefined) return [];
          return [
            series(result, of.spec, { thin: true, label: `${labelOf(result)}, asked for` }),
            series(result, of.ready, { label: `${labelOf(result)}, ready` }),
          ];
        }),
      })),
      { title: "GPUs allocated", lines: each(({ allocatedGpus }) => allocatedGpus) },
      {
        title: "Time to the first token, p90, seconds (logarithmic)",
        lines: each(({ ttftP90Ms }) => ttftP90Ms.map((ms) => (ms === null ? null : Math.max(ms, 1) / 1000))),
        y: { type: "log", ticks: 4, tickFormat: ".3~g" },
        marks: slo ? [Plot.ruleY([slo.ttftMs / 1000], { strokeDasharray: "4 3", ariaLabel: () => "SLO" })] : [],
      },
      {
        title: "Time between tokens, p90, milliseconds",
        lines: each(({ itlP90Ms }) => itlP90Ms),
        marks: slo ? [Plot.ruleY([slo.itlMs], { strokeDasharray: "4 3", ariaLabel: () => "SLO" })] : [],
      },
    ];
    return panels.flatMap((panel, index) => linePlot({ ...panel, width, hours, last: index === panels.length - 1 }));
  };

  const attainmentOf = ({ measures }) => measures.bySlo[0]?.values.attainmentRatio?.mean ?? -1;

  const showLines = (figure) => {
    const scenario = report.scenarios[Number(figure.dataset.scenario)];
    const boxes = [...figure.querySelectorAll("input")];
    const best = (kind) =>
      d3.greatest(
        boxes.filter((box) => kindOf(scenario.results[Number(box.value)].autoscaler) === kind),
        (box) => attainmentOf(scenario.results[Number(box.value)]),
      );
    for (const box of [best("ours"), best("peer") ?? boxes[0]]) if (box) box.checked = true;
    for (const swatch of figure.querySelectorAll(".swatch")) {
      const { colour, dash } = styleOf(scenario.results[Number(swatch.dataset.result)].autoscaler);
      const svg = d3.create("svg").attr("width", 34).attr("height", 8).attr("aria-hidden", "true");
      svg
        .append("line")
        .attr("x2", 34)
        .attr("y1", 4)
        .attr("y2", 4)
        .style("stroke", colour)
        .attr("stroke-width", 3)
        .attr("stroke-dasharray", dash);
      swatch.append(svg.node());
    }
    const chosen = () => new Set(boxes.filter(({ checked }) => checked).map(({ value }) => Number(value)));
    const redraw = drawn(figure.querySelector(".plot"), (width) => linesPlot(scenario, chosen(), width));
    figure.querySelector("fieldset").addEventListener("change", redraw);
  };

  /* One figure a frame, from the top: a page of twenty scenarios can be read and scrolled from the start. */

  const figures = [...document.querySelectorAll("figure")];
  const showNext = () => {
    const figure = figures.shift();
    if (figure === undefined) {
      document.documentElement.dataset.plots = "drawn";
      return;
    }
    (figure.className === "pareto" ? showPareto : showLines)(figure);
    requestAnimationFrame(showNext);
  };
  showNext();

  const download = document.getElementById("download");
  download.hidden = false;
  download.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }));
    element("a", { href: url, download: "comparison.json" }).click();
    URL.revokeObjectURL(url);
  });
})();
