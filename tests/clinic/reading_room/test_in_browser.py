"""The room as people use it: in Chromium, where there is one; accessible in both languages and both modes."""

import pytest

from tests.clinic.reading_room.conftest import PASSWORD, RoomClient

PAGES = ("/", "/password", "/accounts", "/audit", "/nowhere")


# Of every element that is pressed: where it is too low to be hit, its beginning and its height.
SMALL = """[...document.querySelectorAll('a, button, input:not([type=hidden], .hidden), select, summary')]
    .filter(one => one.checkVisibility() && !one.matches('.skip, p a:not(.button)'))
    .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect().height]).filter(([, height]) => height < 44)"""


@pytest.mark.parametrize(("language", "mode"), [("en", "light"), ("zh", "dark")])
def test_every_page_is_accessible_fits_and_complains_of_nothing(page_as, nothing_serious, language: str, mode: str):
    page = page_as("admin", language=language, mode=mode)
    for path in PAGES:
        page.goto(path)
        page.locator("details.menu summary").click()
        nothing_serious(page, only=None if mode == "light" else "color-contrast")
        assert page.locator("p.purpose").is_visible()
        assert page.evaluate(SMALL) == [], path
        page.keyboard.press("Escape")
        for width in (320, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
    assert page.locator("html").get_attribute("lang") == ("en" if language == "en" else "zh-Hans")
    assert [said for said in page.problems if "404" not in said] == []
    # And axe would have seen it.
    page.evaluate("document.querySelector('h1').style.color = 'rgb(127 127 127 / .5)'")
    with pytest.raises(AssertionError, match="color-contrast"):
        nothing_serious(page, only="color-contrast")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_at_the_door_in_the_systems_mode(new_page, nothing_serious, scheme: str):
    page = new_page(color_scheme=scheme, locale="zh-CN" if scheme == "dark" else "en-GB")
    page.goto("/sign-in")
    nothing_serious(page, only="color-contrast")
    page.locator("[name=name]").fill("nobody.known")
    page.locator("[name=password]").fill("x")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem")
    nothing_serious(page, only=None if scheme == "light" else "color-contrast")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(14, 16, 18)")


def test_a_newcomer_goes_by_keyboard_alone_from_the_door_to_the_first_page(new_page, client_as):
    made = client_as("admin").post("/api/v1/accounts", json={"name": "by.keyboard", "role": "lead"}).json()
    page = new_page()
    page.goto("/accounts")
    keys = page.keyboard
    keys.type("by.keyboard")
    keys.press("Tab")
    keys.type(made["one_time_password"])
    keys.press("Enter")
    page.wait_for_url("**/password")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    for text in (made["one_time_password"], PASSWORD, PASSWORD):
        keys.press("Tab")
        keys.type(text)
    keys.press("Enter")
    page.wait_for_url("**/")
    assert page.locator("h1").inner_text() == "What you can do here"


def test_a_lead_makes_an_account_and_closes_it_only_after_saying_yes(page_as, application):
    page = page_as("lead")
    page.goto("/accounts")
    page.locator("main [name=name]").fill("leaves.soon")
    with page.expect_navigation():
        page.locator("main section form button").click()
    given = page.locator("#one-time").inner_text()
    assert RoomClient(application).sign_in("leaves.soon", given).status_code == 201
    row = page.locator("tr", has_text="leaves.soon")
    row.locator("button", has_text="Close").click()
    page.keyboard.press("Enter")  # the first button is the one that does nothing
    page.wait_for_selector("dialog", state="detached")
    assert row.locator("td").nth(1).inner_text().startswith("One-time password")
    row.locator("button", has_text="Close").click()
    page.locator("dialog button", has_text="Yes").click()
    row.locator("td", has_text="Closed").wait_for()
    assert row.locator("td").nth(1).inner_text() == "Closed"
    assert RoomClient(application).sign_in("leaves.soon", given).status_code == 401
    assert page.problems == []


def test_the_dark_mode_comes_at_once_and_stays(page_as):
    page = page_as("reader", mode="light")
    page.goto("/")
    page.locator("details.menu summary").click()
    with page.expect_response("**/api/v1/me/appearance") as told:
        page.locator(".sheet [name=mode]").select_option("dark")
    assert told.value.status == 204
    for _ in range(2):
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 16, 18)"
        page.reload()
    page.locator("details.menu summary").click()
    page.locator(".sheet [name=language]").select_option("zh")
    page.locator(".sheet button", has_text="Save").click()
    page.wait_for_selector("html[lang=zh-Hans]")
    page.locator("details.menu summary").click()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.problems == []


def test_a_session_that_ended_meanwhile_is_said_where_one_is(page_as):
    page = page_as("reader")
    page.goto("/")
    page.context.clear_cookies()
    page.locator("details.menu summary").click()
    page.locator(".sheet [name=mode]").select_option("dark")
    page.wait_for_selector("#notice:not([hidden])")
    assert "not signed in" in page.locator("#notice").inner_text()


def test_a_policy_stops_what_was_smuggled_in(page_as):
    page = page_as("reader")
    page.goto("/")
    page.evaluate(
        """() => { const one = document.createElement('script'); one.textContent = 'window.smuggled = 1';
                   document.body.append(one);
                   document.body.insertAdjacentHTML('beforeend', '<img src="/x" onerror="window.smuggled = 2">'); }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.smuggled") is None
    assert any("Content Security Policy" in said for said in page.problems)


def test_words_of_scripts_and_refusals_are_in_the_visitors_language(page_as):
    page = page_as("reader", language="zh")
    page.goto("/")
    said = page.evaluate(
        """async () => { const { send } = await import('/static/api.js');
                         try { await send('GET', '/api/v1/audit'); } catch (refused) { return refused.message; } }"""
    )
    assert "无权" in said
