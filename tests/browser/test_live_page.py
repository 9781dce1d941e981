"""A real browser on the live page: a newcomer pastes a token and sees the market move."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright

from actors.feeds.sim.market import Market
from actors.local_directory import LocalDirectory
from deployments.asgi import ServingSettings, create_app
from deployments.auth.keys import make_key
from deployments.auth.tokens import Authority
from domain.clock import NS_PER_S
from tests.deployments.serving.kit import running

pytestmark = [pytest.mark.browser, pytest.mark.anyio, pytest.mark.timeout(180)]
WATCHED = ("BTC-USD.SIM", "AAPL.SIM")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def play(directory: LocalDirectory) -> None:
    """A simulated market in wall time, until cancelled."""
    market = Market(WATCHED, seed=3, start_ns=time.time_ns() - 20 * NS_PER_S)
    await directory.feed(market.describe())
    while True:
        now = time.time_ns()
        await directory.feed(market.step(now), clock=now)
        await asyncio.sleep(0.1)


@asynccontextmanager
async def a_live_page() -> AsyncIterator[tuple[Page, str, list[str]]]:
    """(page at the root, a valid token, what went wrong in the page)"""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here: install Debian's package")
    directory = await LocalDirectory.over_memory(2)
    playing = asyncio.create_task(play(directory))
    authority = Authority(make_key())
    wrong: list[str] = []
    try:
        async with (
            running(create_app(directory, authority, ServingSettings())) as address,
            async_playwright() as p,
        ):
            with tempfile.TemporaryDirectory() as profile:
                context = await p.chromium.launch_persistent_context(
                    profile, executable_path=chromium, headless=True, args=FLAGS,
                    viewport={"width": 1280, "height": 800},
                )  # fmt: skip
                page = context.pages[0]
                page.on("pageerror", lambda error: wrong.append(str(error)))
                page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
                await page.goto(f"http://{address}/")
                yield page, authority.issue("me", "viewer", 600), wrong
                await context.close()
    finally:
        playing.cancel()
        await directory.close()


async def sign_in(page: Page, token: str) -> None:
    await page.fill("#token", token)
    await page.click("form button")


async def changes(page: Page, selector: str) -> None:
    """Wait until what an element shows is something else."""
    before = await page.inner_text(selector)
    await page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).innerText !== before",
        arg=[selector, before],
    )


async def test_a_newcomer_sees_book_trades_bars_and_watch_list_move() -> None:
    async with a_live_page() as (page, token, wrong):
        await sign_in(page, token)
        await page.wait_for_selector("#tape tr")
        await page.wait_for_selector("#bids div")
        assert await page.inner_text("#name") == "BTC-USD.SIM"
        assert await page.inner_text("#state") == "live"
        for moving in ("#tape", "#bids", "#mid", "#watch"):
            await changes(page, moving)
        painted = await page.evaluate(
            "() => { const c = document.getElementById('chart'); const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; return d.some((value) => value > 0); }"
        )
        assert painted, "the chart is empty"
        assert wrong == []


async def test_another_instrument_and_interval_can_be_chosen() -> None:
    async with a_live_page() as (page, token, wrong):
        await sign_in(page, token)
        await page.wait_for_selector("#tape tr")
        await page.click("tr[data-id='AAPL.SIM']")
        await page.wait_for_function("() => document.getElementById('name').innerText === 'AAPL.SIM'")
        await page.click("#intervals button:has-text('1m')")
        await page.wait_for_selector("#intervals button.on:has-text('1m')")
        await page.wait_for_selector("#bids div")
        assert 200 < float(await page.inner_text("#mid")) < 260
        assert wrong == []


async def test_a_wrong_token_is_refused_in_words() -> None:
    async with a_live_page() as (page, _, _):
        await sign_in(page, "not-a-token")
        await page.wait_for_function("() => document.getElementById('refusal').innerText.length > 10")
        assert await page.is_visible("#login") and not await page.is_visible("#markets")
