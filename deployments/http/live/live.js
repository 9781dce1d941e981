// The live page: watch list, bars, order book and trades of one instrument, from /v1 and /v1/stream.
// The token lives in a variable only. Prices are shown with the instrument's own precision.
"use strict";

const BARS = 120, LEVELS = 14, TAPE = 60, BOOK_DEPTH = 50, RETRY_MS = 1500;
const INTERVALS = ["1s", "1m", "5m", "15m", "1h"];
const $ = (id) => document.getElementById(id);
const paint = new Set();

const market = { token: "", socket: null, infos: new Map(), tickers: new Map(), chosen: null, interval: "1s",
  bars: [], bids: new Map(), asks: new Map(), usable: false, trades: [], quote: null, next: 0 };

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  market.token = $("token").value.trim();
  try {
    await loadInstruments();
  } catch (problem) {
    $("refusal").textContent = problem.message;
    return;
  }
  $("token").value = "";
  $("login").hidden = true;
  $("markets").hidden = false;
  for (const draw of [drawIntervals, drawWatch]) paint.add(draw);
  connect();
});

async function get(path) {
  const answer = await fetch(path, { headers: { authorization: `Bearer ${market.token}` } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || body.title);
  return body;
}

async function loadInstruments() {
  let page = "";
  do {
    const found = await get(`/v1/instruments?limit=200${page && `&page=${encodeURIComponent(page)}`}`);
    for (const info of found.items) market.infos.set(info.instrument, info);
    page = found.next_page;
  } while (page);
  market.chosen ??= market.infos.has("BTC-USD.SIM") ? "BTC-USD.SIM" : firstTraded();
}

// A reference instrument (BTC-USD.CRYPTO, AAPL.US) has a price, but no trades of its own to draw.
function firstTraded() {
  const ids = [...market.infos.keys()];
  return ids.find((id) => !/\.(CRYPTO|US)$/.test(id)) ?? ids[0] ?? null;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = market.socket = new WebSocket(`${scheme}://${location.host}/v1/stream`);
  socket.onopen = () => {
    say({ op: "auth", token: market.token });
    say({ op: "subscribe", id: "watch", channel: "ticker", instruments: [...market.infos.keys()] });
    follow();
  };
  socket.onmessage = (message) => { for (const frame of JSON.parse(message.data)) take(frame); };
  socket.onclose = (event) => {
    status(false, event.code === 4401 ? "the token has expired: reload the page" : "connection lost, trying again");
    if (event.code !== 4401) setTimeout(connect, RETRY_MS);
  };
}

function say(frame) { market.socket.send(JSON.stringify(frame)); }

// Subscribe to one instrument's channels; the bars before now come over HTTP.
async function follow() {
  if (!market.chosen) return;
  Object.assign(market, { bars: [], trades: [], usable: false, quote: null });
  market.bids.clear();
  market.asks.clear();
  const instruments = [market.chosen];
  for (const channel of ["trades", "quotes", "book"]) say({ op: "subscribe", id: channel, channel, instruments, depth: BOOK_DEPTH });
  say({ op: "subscribe", id: "bars", channel: "bars", instruments, interval: market.interval });
  const asked = market.chosen + market.interval;
  const seconds = { "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600 }[market.interval];
  const found = await get(`/v1/instruments/${market.chosen}/bars?interval=${market.interval}&from=now-${seconds * BARS}s&limit=${BARS}`);
  if (asked === market.chosen + market.interval) for (const bar of found.items) takeBar(bar);
}

function leave() {
  const instruments = [market.chosen];
  for (const channel of ["trades", "quotes", "book"]) say({ op: "unsubscribe", channel, instruments });
  say({ op: "unsubscribe", channel: "bars", instruments, interval: market.interval });
}

function take(frame) {
  const mine = frame.instrument === market.chosen;
  switch (frame.type) {
    case "welcome": status(true, "live"); break;
    case "ticker": market.tickers.set(frame.instrument, frame); paint.add(drawWatch); break;
    case "trade": if (mine) { market.trades.unshift(frame); market.trades.length = Math.min(market.trades.length, TAPE); paint.add(drawTape); } break;
    case "quote": if (mine) { market.quote = frame; paint.add(drawQuote); } break;
    case "book_snapshot": if (mine) { market.bids.clear(); market.asks.clear(); market.usable = true; applyLevels(frame); } break;
    case "book": if (mine) applyLevels(frame); break;
    case "bar": if (mine && frame.interval === market.interval) takeBar(frame); break;
    case "gap": if (mine && frame.channel === "book") { market.usable = false; paint.add(drawBook); } break;
    case "expiring": status(true, "the token expires soon"); break;
    case "error": console.warn("stream", frame.code, frame.message); break;
  }
  if (mine && frame.type === "trade" && frame.ts_recv) measure(frame.ts_recv);
}

function measure(received) {
  const ms = Date.now() - Date.parse(received);
  if (ms >= 0 && ms < 60000) $("latency").textContent = `${ms} ms from provider to here`;
}

function applyLevels(frame) {
  for (const [side, levels] of [[market.bids, frame.bids], [market.asks, frame.asks]])
    for (const [price, size] of levels) size ? side.set(price, size) : side.delete(price);
  paint.add(drawBook);
}

function takeBar(bar) {
  const start = Date.parse(bar.ts_event);
  const at = market.bars.findIndex((known) => known.start >= start);
  const made = { ...bar, start };
  if (at < 0) market.bars.push(made);
  else if (market.bars[at].start !== start) market.bars.splice(at, 0, made);
  else if (made.closed || !market.bars[at].closed) market.bars[at] = made;
  while (market.bars.length > BARS) market.bars.shift();
  paint.add(drawChart);
}

function status(on, text) {
  $("state").textContent = text;
  $("state").classList.toggle("on", on);
}

function price(value, id = market.chosen) {
  const digits = market.infos.get(id)?.price_precision ?? 4;
  return value == null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function size(value) {
  return value == null ? "–" : value.toLocaleString("en", { maximumFractionDigits: market.infos.get(market.chosen)?.size_precision ?? 8 });
}

function row(cells, tone) {
  const tr = document.createElement("tr");
  for (const text of cells) tr.insertCell().textContent = text;
  if (tone) tr.cells[1].className = tone;
  return tr;
}

function drawWatch() {
  $("watch").replaceChildren(...[...market.infos.keys()].sort().map((id) => {
    const ticker = market.tickers.get(id);
    const change = ticker?.change_pct;
    const tr = row([id, price(ticker?.last, id), change == null ? "–" : `${change >= 0 ? "+" : ""}${change.toFixed(2)} %`]);
    if (change) tr.cells[2].className = change > 0 ? "up" : "down";
    tr.dataset.id = id;
    tr.classList.toggle("on", id === market.chosen);
    tr.onclick = () => choose(id, market.interval);
    return tr;
  }));
}

function choose(id, interval) {
  leave();
  Object.assign(market, { chosen: id, interval });
  follow();
  for (const draw of [drawWatch, drawIntervals, drawQuote, drawBook, drawTape, drawChart]) paint.add(draw);
}

function drawIntervals() {
  $("name").textContent = market.chosen ?? "no instrument yet";
  $("intervals").replaceChildren(...INTERVALS.map((interval) => {
    const button = document.createElement("button");
    button.textContent = interval;
    button.className = interval === market.interval ? "on" : "";
    button.onclick = () => choose(market.chosen, interval);
    return button;
  }));
}

function drawQuote() {
  const quote = market.quote;
  $("quote").textContent = quote ? `${price(quote.bid)} × ${size(quote.bid_size)}   ${price(quote.ask)} × ${size(quote.ask_size)}` : "";
}

function drawTape() {
  $("tape").replaceChildren(...market.trades.map((trade) =>
    row([trade.ts_event.slice(11, 23), price(trade.price), size(trade.size)], trade.side === "buy" ? "up" : "down")));
}

function drawBook() {
  const bids = market.usable ? [...market.bids].sort((a, b) => b[0] - a[0]).slice(0, LEVELS) : [];
  const asks = market.usable ? [...market.asks].sort((a, b) => a[0] - b[0]).slice(0, LEVELS) : [];
  const most = Math.max(1e-12, ...bids.concat(asks).map((level) => level[1]));
  for (const [id, levels, tone] of [["bids", bids, "up"], ["asks", asks, "down"]])
    $(id).replaceChildren(...levels.map(([at, amount]) => {
      const line = document.createElement("div");
      line.style.setProperty("--fill", `${100 * amount / most}%`);
      const [left, right] = [document.createElement("span"), document.createElement("span")];
      left.textContent = price(at);
      left.className = tone;
      right.textContent = size(amount);
      line.append(left, right);
      return line;
    }));
  const whole = bids.length && asks.length;
  $("mid").textContent = whole ? price((bids[0][0] + asks[0][0]) / 2) : "not usable: waiting for a snapshot";
  $("figures").textContent = whole ? `spread ${price(asks[0][0] - bids[0][0])}` : "";
}

function drawChart() {
  const canvas = $("chart"), scale = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "11px system-ui";
  const style = getComputedStyle(document.body);
  const muted = style.getPropertyValue("color");
  if (!market.bars.length) {
    pen.fillStyle = muted;
    pen.fillText("no bars yet", 14, 24);
    return;
  }
  const high = Math.max(...market.bars.map((bar) => bar.high)), low = Math.min(...market.bars.map((bar) => bar.low));
  const room = (high - low || high * 1e-4) * 0.06, right = 78, foot = 22, volumes = 46;
  const y = (value) => 8 + (high + room - value) / (high - low + 2 * room) * (height - foot - volumes - 8);
  const step = (width - right) / BARS, first = BARS - market.bars.length;
  const most = Math.max(1e-12, ...market.bars.map((bar) => bar.volume));
  const tones = { up: toneOf("up"), down: toneOf("down") };
  pen.globalAlpha = 0.55;
  pen.fillStyle = pen.strokeStyle = muted;
  for (let line = 0; line <= 4; line++) {
    const at = low + (high - low) * line / 4;
    pen.globalAlpha = 0.12;
    pen.fillRect(0, y(at), width - right, 1);
    pen.globalAlpha = 0.75;
    pen.fillText(price(at), width - right + 8, y(at) + 4);
  }
  market.bars.forEach((bar, index) => {
    const x = (first + index) * step, tone = tones[bar.close >= bar.open ? "up" : "down"];
    pen.fillStyle = tone;
    pen.globalAlpha = bar.closed ? 1 : 0.55;
    pen.fillRect(x + step / 2 - 0.5, y(bar.high), 1, Math.max(1, y(bar.low) - y(bar.high)));
    const top = y(Math.max(bar.open, bar.close));
    pen.fillRect(x + step * 0.15, top, step * 0.7, Math.max(1, y(Math.min(bar.open, bar.close)) - top));
    pen.globalAlpha *= 0.4;
    const tall = bar.volume / most * (volumes - 6);
    pen.fillRect(x + step * 0.15, height - foot - tall, step * 0.7, tall);
  });
  pen.globalAlpha = 0.75;
  pen.fillStyle = muted;
  for (let index = 0; index < market.bars.length; index += 24)
    pen.fillText(market.bars[index].ts_event.slice(11, 19), (first + index) * step, height - 6);
}

function toneOf(name) {
  const probe = document.createElement("i");
  probe.className = name;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function frameLoop() {
  for (const draw of paint) draw();
  paint.clear();
  requestAnimationFrame(frameLoop);
}

addEventListener("resize", () => paint.add(drawChart));
for (const draw of [drawIntervals, drawWatch]) paint.add(draw);
frameLoop();
