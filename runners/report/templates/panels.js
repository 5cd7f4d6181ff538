/* Draws the rates and the path of each clip, once it comes into view.

   Both are plain SVG: they print, follow the page's colors, and need no WebGL, of which a browser
   has only a few at a time. Text from data goes through textContent alone. */
"use strict";

(() => {
  const AXES = [
    { name: "pan", forth: "right", back: "left", unit: "°/s", factor: 1, decimals: 1 },
    { name: "tilt", forth: "up", back: "down", unit: "°/s", factor: 1, decimals: 1 },
    { name: "roll", forth: "cw", back: "ccw", unit: "°/s", factor: 1, decimals: 1 },
    { name: "truck", forth: "right", back: "left", unit: "depths/s", factor: 1, decimals: 2 },
    { name: "pedestal", forth: "up", back: "down", unit: "depths/s", factor: 1, decimals: 2 },
    { name: "dolly", forth: "in", back: "out", unit: "depths/s", factor: 1, decimals: 2 },
    { name: "zoom", forth: "in", back: "out", unit: "%/s", factor: 100, decimals: 0 },
  ];
  const DIRECTIONS = ["right", "up", "forward"];
  const LANE = 20; // pixels of the row for what is of no axis, as static
  const ROW = 42;
  const FOOT = 22;
  const HEADROOM = 1.12;
  const SIDE = 300; // of the path's square
  // Cameras are drawn this large, as a share of the path; a path shorter than that many scene
  // depths is drawn as small as it is: a shake is no journey.
  const CAMERA = 0.3;
  const SHORTEST = 0.3;
  const VIEWS = { "3D": [-35, 24], top: [0, 90], side: [-90, 0], behind: [0, 0] };

  function svg(parent, tag, attributes = {}, text = null) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== null) element.textContent = text;
    parent.append(element);
    return element;
  }

  function html(parent, tag, attributes = {}, text = null) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== null) element.textContent = text;
    parent.append(element);
    return element;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const spoken = (label) => label.replaceAll("_", " ");
  const series = (motion) => `series-${motion % 8}`;

  /** A number at a time, between the samples; null outside of them. */
  function at(times, values, time) {
    if (!times.length || time < times[0] || time > times[times.length - 1]) return null;
    let i = 1;
    while (i < times.length - 1 && times[i] < time) i += 1;
    if (times.length === 1) return values[0];
    const share = (time - times[i - 1]) / (times[i] - times[i - 1]);
    return values[i - 1] + share * (values[i] - values[i - 1]);
  }

  function rateInWords(axis, rate) {
    const size = (Math.abs(rate) * axis.factor).toFixed(axis.decimals);
    if (Number(size) === 0) return "0";
    return `${size} ${axis.unit} ${rate > 0 ? axis.forth : axis.back}`;
  }

  /** 1, 2 or 5 times a power of ten, at least ``least``. */
  function roundStep(least) {
    const power = 10 ** Math.floor(Math.log10(least));
    return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least * 0.999);
  }

  const trimmed = (number) => String(Number(number.toPrecision(2)));

  // --- the rates over time ---------------------------------------------------------------

  class Rates {
    constructor(box, data, onTime) {
      this.box = box;
      this.data = data;
      this.onTime = onTime;
      this.scale = AXES.map((_, row) =>
        Math.max(1e-9, ...moving(data).map(({ shot }) => shot.full_scale[row] ?? 0)));
      this.picture = svg(box, "svg", { role: "img" });
      this.slider = html(box, "input", {
        type: "range", class: "clip-scrub", min: 0, max: data.end, step: data.end / 400 || 0.01,
        value: 0, "aria-label": "Time in seconds",
      });
      this.slider.addEventListener("input", () => onTime(Number(this.slider.value)));
      const point = (event) => {
        const x = event.clientX - this.picture.getBoundingClientRect().left;
        onTime(clamp((x - this.left) / (this.width - this.left), 0, 1) * data.end);
      };
      this.picture.addEventListener("pointermove", point);
      this.picture.addEventListener("pointerdown", point);
    }

    x(time) {
      return this.left + (this.width - this.left) * clamp(time / (this.data.end || 1), 0, 1);
    }

    zero(row) {
      return LANE + row * ROW + ROW / 2;
    }

    draw(shown) {
      const { picture, data } = this;
      this.shown = shown;
      this.width = this.box.clientWidth || 640;
      this.left = parseFloat(getComputedStyle(this.box).getPropertyValue("--clip-gutter")) || 60;
      this.bottom = LANE + AXES.length * ROW;
      // On paper the drawing is scaled, and the pictures are to stay over their times.
      this.box.parentElement.style.setProperty("--clip-gutter-share", this.left / this.width);
      picture.replaceChildren();
      picture.setAttribute("viewBox", `0 0 ${this.width} ${this.bottom + FOOT}`);
      const system = data.systems[shown];
      picture.setAttribute("aria-label", this.summary(system));
      this.drawRows();
      this.drawSegments(system);
      data.motions.forEach((motion, number) => {
        if (number !== system.motion) this.drawMotion(motion, number, false);
      });
      if (system.motion !== null) {
        this.drawMotion(data.motions[system.motion], system.motion, true);
      }
      for (const cut of cuts(data)) {
        const line = svg(picture, "line", {
          class: "clip-cut", x1: this.x(cut), x2: this.x(cut), y1: 0, y2: this.bottom,
        });
        svg(line, "title", {}, `cut at ${cut.toFixed(2)} s`);
      }
      this.playhead = svg(picture, "line", {
        class: "clip-playhead", x1: this.left, x2: this.left, y1: 0, y2: this.bottom,
        visibility: "hidden",
      });
      this.values = AXES.map((_, row) => svg(picture, "text", {
        class: "clip-value clip-halo", x: this.width - 4, y: this.zero(row) - ROW / 2 + 13,
      }));
      if (this.time !== undefined) this.point(this.time);
    }

    summary(system) {
      const moves = system.segments.map((segment) =>
        `${spoken(segment.motion)} from ${segment.start.toFixed(1)} to ${segment.end.toFixed(1)} s`);
      return `Seven rates over time. ${system.name}: ${moves.join(", ") || "no move"}.`;
    }

    drawRows() {
      const { picture } = this;
      const across = { x: this.left, width: Math.max(0, this.width - this.left) };
      svg(picture, "rect", { class: "clip-row", ...across, y: 0, height: LANE - 2 });
      AXES.forEach((axis, row) => {
        const middle = this.zero(row);
        svg(picture, "rect", { class: "clip-row", ...across, y: middle - ROW / 2, height: ROW - 2 });
        svg(picture, "text", { x: 0, y: middle - 1 }, axis.name);
        const scale = trimmed(this.scale[row] * axis.factor);
        svg(picture, "text", { class: "clip-quiet", x: 0, y: middle + 12 },
          this.width < 480 ? `±${scale}` : `±${scale} ${axis.unit}`);
        svg(picture, "line", {
          class: "clip-zero", x1: this.left, x2: this.width, y1: middle - 1, y2: middle - 1,
        });
      });
      const step = roundStep(Math.max(this.data.end, 0.1) / ((this.width - this.left) / 70));
      for (let time = 0; time <= this.data.end * 1.0001; time += step) {
        const x = this.x(time);
        svg(picture, "line", { class: "clip-tick", x1: x, x2: x, y1: 0, y2: this.bottom });
        const end = x > this.width - 16;
        svg(picture, "text", {
          class: "clip-quiet", x, y: this.bottom + 14, "text-anchor": end ? "end" : "middle",
        }, `${Number(time.toFixed(3))} s`);
      }
    }

    drawSegments(system) {
      const group = svg(this.picture, "g", { class: series(system.motion ?? 0) });
      let free = -Infinity;
      for (const segment of system.segments) {
        const row = AXES.findIndex((axis) => axis.name === segment.axis);
        const [left, right] = [this.x(segment.start), this.x(segment.end)];
        const top = row < 0 ? 0 : this.zero(row) - ROW / 2;
        const span = svg(group, "rect", {
          class: "clip-span", x: left, width: Math.max(1, right - left), y: top,
          height: (row < 0 ? LANE : ROW) - 2,
        });
        const name = spoken(segment.motion);
        svg(span, "title", {},
          `${name}, ${segment.start.toFixed(2)} to ${segment.end.toFixed(2)} s`);
        if (row < 0 && left < free) continue; // two at once: the title of the span tells
        // On the side of zero where the curve is not.
        const below = row >= 0 && AXES[row].forth === segment.motion.split("_")[1];
        const y = row < 0 ? 13 : this.zero(row) + (below ? ROW / 2 - 7 : -ROW / 2 + 12);
        const text = svg(group, "text", { class: "clip-span-name clip-halo", x: left + 4, y }, name);
        const width = text.getComputedTextLength();
        if (left + 4 + width > this.width) text.setAttribute("x", this.width - width - 2);
        if (row < 0) free = left + 8 + width;
      }
    }

    drawMotion(motion, number, shown) {
      const group = svg(this.picture, "g", { class: series(number) });
      for (const shot of motion.shots) {
        if (shot.failure && shown) this.drawGap(group, shot);
        if (!shot.times) continue;
        AXES.forEach((_, row) => {
          const points = shot.times.map((time, i) => {
            const share = clamp((shot.rates[row][i] ?? 0) / (HEADROOM * this.scale[row]), -1, 1);
            const y = this.zero(row) - 1 - share * (ROW / 2 - 1);
            return `${this.x(time).toFixed(1)},${y.toFixed(1)}`;
          });
          svg(group, "polyline", {
            class: shown ? "clip-rate clip-shown" : "clip-rate", points: points.join(" "),
          });
        });
      }
    }

    drawGap(group, shot) {
      const [left, right] = [this.x(shot.start), this.x(shot.end)];
      const gap = svg(group, "rect", {
        class: "clip-gap", x: left, width: Math.max(1, right - left), y: 0, height: this.bottom,
      });
      svg(gap, "title", {}, shot.failure);
      if (right - left < 70) return; // the title tells
      svg(group, "text", {
        class: "clip-halo", x: (left + right) / 2, y: this.zero(3), "text-anchor": "middle",
      }, "no answer");
    }

    point(time) {
      this.time = time;
      this.slider.value = time;
      const x = this.x(time);
      this.playhead.setAttribute("visibility", "visible");
      this.playhead.setAttribute("x1", x);
      this.playhead.setAttribute("x2", x);
      const number = this.data.systems[this.shown].motion;
      const shot = number === null ? null : shotAt(this.data.motions[number], time);
      AXES.forEach((axis, row) => {
        const rate = shot?.times ? at(shot.times, shot.rates[row], time) : null;
        this.values[row].textContent = rate === null ? "–" : rateInWords(axis, rate);
      });
    }
  }

  /** All shots with a motion, each with the place of its run. */
  function moving(data) {
    return data.motions.flatMap((motion, number) =>
      motion.shots.filter((shot) => shot.times).map((shot) => ({ shot, number })));
  }

  const shotAt = (motion, time) =>
    motion.shots.findLast((shot) => shot.start <= time) ?? motion.shots[0] ?? null;

  /** The longest shot of which a system has a path. */
  function longestShot(data, shown) {
    const lengths = (data.motions[data.systems[shown].motion]?.shots ?? [])
      .map((shot) => (shot.path ? shot.end - shot.start : 0));
    return Math.max(0, lengths.indexOf(Math.max(...lengths)));
  }

  function cuts(data) {
    const starts = data.motions.flatMap((motion) => motion.shots.slice(1).map((shot) => shot.start));
    return [...new Set(starts)];
  }

  // --- the path in space -----------------------------------------------------------------

  class Path {
    constructor(box, data, name) {
      this.data = data;
      this.shot = 0;
      [this.turn, this.rise] = VIEWS["3D"];
      this.picture = svg(box, "svg", {
        viewBox: `0 0 ${SIDE} ${SIDE}`, tabindex: 0, role: "img",
        "aria-label": `Path of the camera of ${name} in space; arrow keys turn the view`,
      });
      const side = html(box, "div");
      const bar = html(side, "div", { class: "clip-views" });
      for (const [view, [turn, rise]] of Object.entries(VIEWS)) {
        const button = html(bar, "button", { type: "button" }, view);
        button.addEventListener("click", () => this.look(turn, rise));
      }
      this.choice = this.addShots(bar);
      this.hint = html(side, "p", { class: "clip-hint" });
      const paper = html(box, "div", { class: "clip-paper" });
      this.onPaper = ["top", "side"].map((view) => ({
        view,
        picture: svg(paper, "svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" }),
      }));
      this.addTurning();
    }

    addShots(bar) {
      const most = Math.max(...this.data.motions.map((motion) => motion.shots.length));
      if (most < 2) return null;
      const choice = html(bar, "select", { "aria-label": "Shot" });
      for (let i = 0; i < most; i += 1) {
        html(choice, "option", { value: i }, `shot ${i + 1} of ${most}`);
      }
      choice.addEventListener("change", () => this.choose(Number(choice.value)));
      return choice;
    }

    addTurning() {
      const { picture } = this;
      let last = null;
      picture.addEventListener("pointerdown", (event) => {
        last = event;
        picture.setPointerCapture(event.pointerId);
      });
      picture.addEventListener("pointermove", (event) => {
        if (last === null) return;
        const across = event.clientX - last.clientX;
        // On a touch screen, up and down scroll the page.
        const along = event.pointerType === "mouse" ? event.clientY - last.clientY : 0;
        last = event;
        this.look(this.turn - across * 0.6, this.rise + along * 0.6);
      });
      for (const end of ["pointerup", "pointercancel"]) {
        picture.addEventListener(end, () => { last = null; });
      }
      const steps = { ArrowLeft: [10, 0], ArrowRight: [-10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };
      picture.addEventListener("keydown", (event) => {
        const step = steps[event.key];
        if (!step) return;
        event.preventDefault();
        this.look(this.turn + step[0], this.rise + step[1]);
      });
    }

    look(turn, rise) {
      [this.turn, this.rise] = [turn, clamp(rise, -90, 90)];
      this.paint(this.picture, this.turn, this.rise);
    }

    choose(shot) {
      this.shot = shot;
      if (this.choice) this.choice.value = shot;
      this.draw(this.shown);
    }

    draw(shown) {
      this.shown = shown;
      const mine = this.data.systems[shown].motion;
      this.paths = this.data.motions
        .map((motion, number) => ({ number, path: motion.shots[this.shot]?.path }))
        .filter(({ path }) => path)
        .sort((one, other) => (one.number === mine) - (other.number === mine));
      this.frame();
      this.look(this.turn, this.rise);
      for (const { view, picture } of this.onPaper) {
        this.paint(picture, ...VIEWS[view]);
        svg(picture, "text", { class: "clip-quiet", x: 4, y: 20 }, view);
      }
      this.hint.textContent = this.words(mine);
    }

    /** The middle and the reach of what is shown, so that turning the view changes no size. */
    frame() {
      const centers = this.paths.flatMap(({ path }) => path.centers);
      const low = [0, 1, 2].map((i) => Math.min(0, ...centers.map((center) => center[i])));
      const high = [0, 1, 2].map((i) => Math.max(0, ...centers.map((center) => center[i])));
      const extent = Math.hypot(...high.map((value, i) => value - low[i]));
      this.camera = CAMERA * Math.max(extent, SHORTEST);
      this.cameras = this.paths.map(({ path }) => path.cameras.map((camera) => ({
        ...camera,
        corners: camera.rays.map((ray) => ray.map((v, i) => camera.center[i] + this.camera * v)),
      })));
      const all = [...centers, ...this.cameras.flat().flatMap((camera) => camera.corners), [0, 0, 0]];
      this.low = [0, 1, 2].map((i) => Math.min(...all.map((point) => point[i])));
      this.high = [0, 1, 2].map((i) => Math.max(...all.map((point) => point[i])));
      this.middle = this.low.map((value, i) => (value + this.high[i]) / 2);
      this.reach = Math.max(
        CAMERA * SHORTEST, ...all.map((point) => Math.hypot(...point.map((value, i) => value - this.middle[i]))));
      this.step = roundStep(this.reach / 3);
    }

    paint(picture, turn, rise) {
      picture.replaceChildren();
      const [t, e] = [turn, rise].map((degrees) => (degrees * Math.PI) / 180);
      const zoom = (0.46 * SIDE) / this.reach;
      const place = (point) => {
        const [right, up, forward] = point.map((value, i) => value - this.middle[i]);
        const ahead = right * Math.sin(t) + forward * Math.cos(t);
        const x = right * Math.cos(t) - forward * Math.sin(t);
        const y = up * Math.cos(e) + ahead * Math.sin(e);
        return [SIDE / 2 + zoom * x, SIDE / 2 - zoom * y].map((value) => value.toFixed(1));
      };
      const line = (from, to, attributes) => {
        const [[x1, y1], [x2, y2]] = [place(from), place(to)];
        return svg(picture, "line", { x1, y1, x2, y2, ...attributes });
      };
      this.paintFloor(line);
      this.paintAxes(picture, place, line);
      this.paths.forEach(({ number, path }, i) => {
        const group = svg(picture, "g", { class: series(number) });
        const mine = number === this.data.systems[this.shown].motion;
        // Of the others, where they end: two fans of cameras in one another are hard to read.
        this.paintPath(group, path, mine ? this.cameras[i] : this.cameras[i].slice(-1), place);
      });
      if (picture === this.picture) {
        this.here = svg(picture, "circle", { class: "clip-here", r: 4.5, visibility: "hidden" });
        this.place = place;
        if (this.time !== undefined) this.point(this.time);
      }
    }

    /** Squares on the ground below the path, to tell directions and sizes by. */
    paintFloor(line) {
      const { step } = this;
      const ends = [0, 2].map((i) => [
        Math.floor(this.low[i] / step) * step, Math.ceil(this.high[i] / step) * step,
      ]);
      const [[left, right], [back, front]] = ends;
      const ground = this.low[1];
      for (let x = left; x <= right + step / 2; x += step) {
        line([x, ground, back], [x, ground, front], { class: "clip-grid" });
      }
      for (let z = back; z <= front + step / 2; z += step) {
        line([left, ground, z], [right, ground, z], { class: "clip-grid" });
      }
    }

    paintAxes(picture, place, line) {
      DIRECTIONS.forEach((name, i) => {
        const tip = [0, 0, 0];
        tip[i] = this.reach * 0.5;
        const [start, end] = [place([0, 0, 0]), place(tip)];
        if (Math.hypot(end[0] - start[0], end[1] - start[1]) < 12) return; // seen from its end
        line([0, 0, 0], tip, { class: "clip-axis" });
        const [x, y] = end.map(Number);
        svg(picture, "text", {
          class: "clip-quiet clip-halo",
          x: x + (x < start[0] - 4 ? -3 : 3),
          y: y + (y < start[1] - 4 ? -3 : 9),
          "text-anchor": x < start[0] - 4 ? "end" : "start",
        }, name);
      });
    }

    /** Fainter where it is earlier. */
    paintPath(group, path, cameras, place) {
      const first = path.times[0];
      const length = path.times[path.times.length - 1] - first || 1;
      const strength = (time) => (0.25 + 0.75 * ((time - first) / length)).toFixed(2);
      for (const { time, center, corners } of cameras) {
        const [apex, ...seen] = [center, ...corners].map(place);
        const d = `M${seen.join("L")}Z` + seen.map((corner) => `M${apex}L${corner}`).join("");
        const camera = svg(group, "path", { class: "clip-camera", d, opacity: strength(time) });
        svg(camera, "title", {}, `camera at ${time.toFixed(2)} s`);
        const [[x1, y1], [x2, y2]] = seen;
        svg(group, "line", { class: "clip-top", x1, y1, x2, y2, opacity: strength(time) });
      }
      const points = path.centers.map(place);
      for (let i = 1; i < points.length; i += 1) {
        const [[x1, y1], [x2, y2]] = [points[i - 1], points[i]];
        svg(group, "line", { class: "clip-step", x1, y1, x2, y2, opacity: strength(path.times[i]) });
      }
      const start = svg(group, "circle", {
        class: "clip-start", cx: points[0][0], cy: points[0][1], r: 3.5,
      });
      svg(start, "title", {}, "start");
    }

    words(mine) {
      const path = this.paths.find(({ number }) => number === mine)?.path;
      const scale = `A square is ${Number(this.step.toPrecision(2))} scene depths`;
      const known = {
        depths: "",
        metres: ", of a scene thought to be 4 m away",
        unknown: "; how far the scene is, and so how long the way, is not known",
      };
      const shot = this.data.motions[mine]?.shots[this.shot];
      if (!path) return shot?.failure ? `No path: ${shot.failure}` : "No path.";
      const model = `Model: ${shot.model.replaceAll("+", " + ")}, probability ${shot.probability.toFixed(2)}.`;
      return `${model} ${scale}${known[path.unit]}. The ring is the start; early is faint; a bold edge is the top of the picture.`;
    }

    point(time) {
      this.time = time;
      const mine = this.data.systems[this.shown].motion;
      const path = this.paths.find(({ number }) => number === mine)?.path;
      const center = path
        ? [0, 1, 2].map((i) => at(path.times, path.centers.map((c) => c[i]), time)) : [null];
      this.here.setAttribute("visibility", center.includes(null) ? "hidden" : "visible");
      if (center.includes(null)) return;
      const [x, y] = this.place(center);
      this.here.setAttribute("cx", x);
      this.here.setAttribute("cy", y);
    }
  }

  // --- a panel ---------------------------------------------------------------------------

  function start(clip) {
    const data = JSON.parse(clip.querySelector("script[type='application/json']").textContent);
    const boxes = ["rates", "path"].map((name) => clip.querySelector(`.clip-${name}`));
    if (boxes.includes(null)) return;
    const name = clip.querySelector("h3").textContent;
    const pictures = [...clip.querySelectorAll(".clip-film button")];
    const radios = [...clip.querySelectorAll(".clip-table input[type='radio']")];
    const path = new Path(boxes[1], data, name);
    const rates = new Rates(boxes[0], data, point);

    function point(time) {
      rates.point(time);
      const number = data.systems[rates.shown].motion;
      const shots = number === null ? [] : data.motions[number].shots;
      const shot = Math.max(0, shots.findLastIndex((one) => one.start <= time));
      if (shot !== path.shot) path.choose(shot);
      path.point(time);
      const away = pictures.map((picture) => Math.abs(Number(picture.dataset.time) - time));
      const nearest = away.indexOf(Math.min(...away));
      pictures.forEach((picture, i) => picture.classList.toggle("clip-now", i === nearest));
    }

    const firstShown = radios.find((radio) => data.systems[radio.value].segments.length) ?? radios[0];
    let shown = Number(firstShown?.value ?? 0);
    if (firstShown) firstShown.checked = true;
    for (const radio of radios) {
      radio.addEventListener("change", () => {
        shown = Number(radio.value);
        rates.draw(shown);
        path.draw(shown);
      });
    }
    for (const picture of pictures) {
      for (const reason of ["click", "focus", "pointerenter"]) {
        picture.addEventListener(reason, () => point(Number(picture.dataset.time)));
      }
    }
    path.shown = shown;
    path.choose(longestShot(data, shown));
    let width = 0;
    new ResizeObserver(() => {
      if (boxes[0].clientWidth !== width) {
        width = boxes[0].clientWidth;
        rates.draw(shown);
      }
    }).observe(boxes[0]);
    rates.draw(shown);
  }

  // One after the other, so that the page answers meanwhile; a hundred take less than a second.
  for (const clip of document.querySelectorAll(".clip")) setTimeout(start, 0, clip);
})();
