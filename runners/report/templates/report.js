/* Draws the charts from the page's data, anew when other systems are chosen, when the colors of the
   page change, and for paper. */
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const boxes = [...document.querySelectorAll("[data-mark]")];
  const select = document.getElementById("curve-label");
  const labels = document.getElementById("chart-labels");
  const curves = document.getElementById("chart-curves");
  const PAPER_WIDTH = 690; // pixels between the margins of A4
  const ROW = 9; // pixels from one system to the next
  const CONFIG = {
    displaylogo: false,
    modeBarButtons: [["toImage"]],
    scrollZoom: false,
  };
  let printing = false;

  const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colorOf = (mark) => color(mark.color < 0 ? "--quiet" : `--series-${mark.color}`);
  const shown = () => data.marks.filter((_, i) => boxes[i].checked);
  const number = (value) => value.toFixed(1);
  const plain = (text) => text.replace(/[<>&]/g, (c) => ({ "<": "‹", ">": "›", "&": "+" })[c]);

  function layout(host, height, more) {
    const grid = { gridcolor: color("--line"), zeroline: false, linecolor: color("--line") };
    const width = printing ? PAPER_WIDTH : host.clientWidth;
    return {
      width,
      height,
      margin: { l: 10, r: 12, t: 28, b: 44 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--quiet"), activecolor: color("--ink") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: width < 480 ? 11 : 13, color: color("--ink") },
      showlegend: false,
      dragmode: false,
      hovermode: "closest",
      hoverlabel: { bgcolor: color("--panel"), bordercolor: color("--line"), font: { color: color("--ink") } },
      ...more,
      xaxis: { ...grid, fixedrange: true, ...more.xaxis },
      yaxis: { ...grid, fixedrange: true, ...more.yaxis },
    };
  }

  /** One row a label, in it one mark a system, below each other so that none hides another. */
  function drawLabels() {
    const marks = shown();
    const pitch = Math.max(marks.length + 1.5, 3);
    const rows = data.labels.map((_, i) => i).filter((i) => data.marks.some((mark) => mark.number && mark.ap[i]));
    const traces = marks.map((mark, place) => {
      const known = rows.map((i, row) => [mark.ap[i], row]).filter(([ap]) => ap !== null);
      const [x, low, high] = [0, 1, 2].map((k) => known.map(([ap]) => ap[k] ?? ap[0]));
      return {
        type: "scatter",
        mode: "markers",
        name: plain(mark.name),
        x,
        y: known.map(([, i]) => i * pitch + place - (marks.length - 1) / 2),
        error_x: {
          symmetric: false,
          array: high.map((end, i) => end - x[i]),
          arrayminus: low.map((end, i) => x[i] - end),
          color: colorOf(mark),
          thickness: 1,
          width: 0,
        },
        marker: { symbol: mark.symbol, color: colorOf(mark), size: 8, line: { width: 1, color: colorOf(mark) } },
        text: known.map(([ap, i]) => {
          const ends = ap[1] == null ? "" : ` (${number(ap[1])}–${number(ap[2])})`;
          return `${plain(mark.name)}<br>${data.labels[rows[i]].words}: ${number(ap[0])}${ends}`;
        }),
        hoverinfo: "text",
        cliponaxis: false,
      };
    });
    const bands = rows.map((_, i) => ({
      type: "rect",
      xref: "paper",
      x0: 0,
      x1: 1,
      y0: (i - 0.5) * pitch,
      y1: (i + 0.5) * pitch,
      fillcolor: color("--panel"),
      opacity: i % 2 ? 0 : 1,
      line: { width: 0 },
      layer: "below",
    }));
    const last = Math.max(rows.length, 1) - 0.5;
    Plotly.react(
      labels,
      traces,
      layout(labels, 80 + rows.length * pitch * ROW, {
        shapes: bands,
        xaxis: { range: [-1, 101], title: { text: "average precision, percent", standoff: 8 }, dtick: 25 },
        yaxis: {
          range: [last * pitch, -0.5 * pitch],
          tickvals: rows.map((_, i) => i * pitch),
          ticktext: rows.map((i) => `${data.labels[i].words} `),
          automargin: true,
          showgrid: false,
          showline: false,
        },
      }),
      CONFIG,
    );
  }

  function drawCurves() {
    const label = Number(select.value);
    const traces = shown()
      .filter((mark) => mark.curves[label])
      .map((mark) => {
        const [recall, precision] = mark.curves[label];
        return {
          type: "scatter",
          mode: "lines+markers",
          name: plain(mark.name),
          x: [0, ...recall],
          y: [precision[0], ...precision],
          line: { shape: "vh", color: colorOf(mark), width: 2, dash: mark.dash },
          marker: { symbol: mark.symbol, color: colorOf(mark), opacity: 1, size: [...recall.map(() => 0), 9] },
          hovertemplate: `${plain(mark.name)}<br>recall %{x:.1f}, precision %{y:.1f}<extra></extra>`,
          cliponaxis: false,
        };
      });
    const chance = data.labels[label].share;
    const line = chance === null ? [] : [{
      type: "line", x0: 0, x1: 100, y0: chance, y1: chance,
      line: { color: color("--quiet"), width: 1, dash: "dash" },
    }];
    const none = traces.length ? [] : [{
      text: "no clip has it, or none of the chosen systems ranks it",
      x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false,
      font: { color: color("--quiet") },
    }];
    const width = printing ? PAPER_WIDTH : curves.clientWidth;
    Plotly.react(
      curves,
      traces,
      layout(curves, Math.min(Math.max(width * 0.6, 280), 460), {
        shapes: line,
        annotations: none,
        xaxis: { range: [0, 101], title: { text: "recall, percent", standoff: 8 }, dtick: 25 },
        yaxis: { range: [0, 103], title: { text: "precision, percent" }, dtick: 25, automargin: true },
      }),
      CONFIG,
    );
  }

  function draw() {
    drawLabels();
    drawCurves();
  }

  data.labels.forEach((label, i) => {
    if (label.share) select.add(new Option(label.words, i));
  });
  if (!select.options.length) select.add(new Option("none", 0));
  // The label that most clips have says most.
  const shares = [...select.options].map((option) => data.labels[option.value].share);
  select.selectedIndex = shares.indexOf(Math.max(...shares));

  boxes.forEach((box) => box.addEventListener("change", draw));
  select.addEventListener("change", drawCurves);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = labels.clientWidth;
  new ResizeObserver(() => {
    if (printing || labels.clientWidth === width) return;
    width = labels.clientWidth;
    draw();
  }).observe(labels);
  const print = (now) => () => {
    printing = now;
    draw();
  };
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));
  draw();
})();
