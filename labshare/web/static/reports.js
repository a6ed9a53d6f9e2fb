// Draws the chart of a report from the table beside it. Without this script the table says everything.
"use strict";

const chart = document.getElementById("use-chart");
const rows = chart ? [...document.querySelectorAll(".use tr[data-label]")] : [];

if (chart && rows.length && window.echarts) {
  const classes = [...new Set(rows.map((row) => row.dataset.label))].reverse();
  const hours = (label, name) =>
    rows.filter((row) => row.dataset.label === label).reduce((sum, row) => sum + Number(row.dataset[name]), 0) / 60;
  const keys = document.querySelector(".chart-keys");
  chart.hidden = false;
  keys.hidden = false;
  // Tall enough for two bars and a gap for each class.
  chart.style.height = `${classes.length * 52 + 40}px`;
  const drawing = window.echarts.init(chart);

  const draw = () => {
    // Colours come from the page, so the chart follows its theme.
    const ink = (name) => getComputedStyle(chart.closest("section").querySelector(name)).backgroundColor;
    const text = getComputedStyle(chart).color;
    const format = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 0 });
    const series = (name, decal) => ({
      type: "bar",
      name: keys.querySelector(`.${name}`).parentElement.textContent,
      data: classes.map((label) => hours(label, name)),
      barGap: "10%",
      itemStyle: { color: ink(`.key.${name}`), decal },
      label: { show: true, position: "right", color: text, formatter: ({ value }) => format.format(value) },
    });
    drawing.setOption({
      animation: false,
      textStyle: { fontFamily: getComputedStyle(chart).fontFamily, color: text },
      grid: { left: 0, right: 56, top: 4, bottom: 4, containLabel: true },
      xAxis: { type: "value", axisLabel: { show: false }, splitLine: { lineStyle: { color: ink(".chart-line") } } },
      yAxis: { type: "category", data: classes, axisTick: { show: false }, axisLabel: { color: text, width: 120, overflow: "break", lineHeight: 16 } },
      // Delivered lies above booked, told apart by a pattern as well as by colour.
      series: [series("delivered", { symbol: "none" }), series("booked", { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.8, color: ink(".chart-line") })],
    });
  };

  draw();
  new ResizeObserver(() => drawing.resize()).observe(chart);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
