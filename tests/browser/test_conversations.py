"""The pages Conversations and Conversation in the system's Chromium: what is said elsewhere appears, what is typed stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visits import MILLISECONDS, at, live, signed_in
from tests.machines.places import Place

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

WIDE = "document.documentElement.scrollWidth"
PLANTED = "\"'></textarea><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def test_a_message_sent_elsewhere_appears_and_what_is_open_and_typed_stays(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, bob, mine = place.pair()
    alice.good("send_to_partner", message="word " * 9_999 + "end", files_involved=["src/app.py"])
    page = signed_in(chromium, place, said)
    at(page, f"/conversations/{mine}")
    live(page)
    expect(page.get_by_role("heading", name=f"Conversation {mine}")).to_be_visible()
    page.get_by_label("Message, as the operator").fill("half a thought")
    page.get_by_text("more characters").click()
    expect(page.locator("#rest-1")).to_have_attribute("open", "")
    bob.good("check_messages")
    bob.good("send_to_partner", message="an answer from elsewhere")
    expect(page.locator("#message-2").get_by_text("an answer from elsewhere")).to_be_visible()
    expect(page.locator("#message-1").get_by_text("acknowledged")).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("#rest-1")).to_have_attribute("open", "")
    expect(page.get_by_label("Message, as the operator")).to_have_value("half a thought")
    assert said == []
    page.context.close()


def test_what_the_operator_writes_reaches_the_agents_and_two_browsers(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, bob, mine = place.pair()
    page, other = signed_in(chromium, place, said), signed_in(chromium, place, said)
    for one in (page, other):
        at(one, f"/conversations/{mine}")
        live(one)
    page.get_by_label("Message, as the operator").fill("use the v2 schema\nplease")
    page.get_by_text("To whom, and of what type").click()
    page.get_by_role("checkbox", name="b frontend").check()
    page.get_by_role("button", name="Send as operator").click()
    page.wait_for_url(f"**/conversations/{mine}")
    for one in (page, other):
        expect(one.locator("#message-1").get_by_text("the operator", exact=True)).to_be_visible()
    (got,) = bob.good("check_messages", wait_seconds=5)["messages"]
    assert (got["from"], got["message"]) == ("operator", "use the v2 schema\nplease")
    assert alice.good("check_messages")["messages"] == []
    expect(other.locator("#message-1").get_by_text("acknowledged")).to_be_visible(timeout=MILLISECONDS)
    assert said == []
    page.context.close()
    other.context.close()


def test_refused_words_stand_in_the_box_again(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    _, _, mine = place.pair()
    page = signed_in(chromium, place, said)
    at(page, f"/conversations/{mine}")
    long = "x" * 50_001
    page.get_by_label("Message, as the operator").fill(long)
    page.get_by_role("button", name="Send as operator").click()
    expect(page.get_by_role("alert")).to_contain_text("50,001 characters")
    expect(page.get_by_label("Message, as the operator")).to_have_value(long)
    page.get_by_label("Message, as the operator").fill("shorter")
    page.get_by_role("button", name="Send as operator").click()
    expect(page.locator("#message-1")).to_contain_text("shorter")
    # what the browser itself says of the answer 422
    assert [line for line in said if "422" not in line] == []
    page.context.close()


def test_markup_of_agents_stays_text_in_a_real_browser(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, bob = place.agent(), place.agent()
    opened = alice.good("create_conversation", my_role=PLANTED[:100], partner_role="frontend")
    bob.good("join_conversation", invite=opened["sessions"][1]["invite"])
    mine = opened["conversation_id"]
    alice.good("send_to_partner", message=PLANTED, files_involved=[PLANTED])
    alice.good("update_my_status", status="working", note=PLANTED)
    task = alice.good("assign_task", title=PLANTED, description=PLANTED)["task_id"]
    page = signed_in(chromium, place, said)
    for path in ("/conversations", f"/conversations/{mine}", "/tasks", f"/tasks/{mine}/{task}"):
        at(page, path)
        live(page)
        expect(page.get_by_text("<script>").first).to_be_attached()
        assert "owned" not in page.title()
        assert page.locator("main img, main script").count() == 0
    assert said == []
    page.context.close()


def test_search_and_paging_work_by_keyboard_and_stand_in_the_address(chromium: Browser, place: Place) -> None:
    said: list[str] = []
    alice, _, mine = place.pair()
    for number in range(25):
        alice.good("send_to_partner", message=f"message number {number}")
    page = signed_in(chromium, place, said)
    at(page, f"/conversations/{mine}")
    live(page)
    page.get_by_role("link", name="Older", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?before=6$"))
    expect(page.locator("#message-1")).to_be_visible()
    live(page)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
    page.keyboard.type("number 17")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=number\+17&"))
    expect(page.get_by_role("status").filter(has_text="1 found among 25 messages")).to_be_visible()
    live(page)
    page.locator("#main").focus()
    page.keyboard.press("j")
    expect(page.locator("#message-18")).to_be_focused()
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_pages_whole(chromium: Browser, place: Place, scheme: str) -> None:
    said: list[str] = []
    alice, bob, mine = place.pair()
    alice.good("send_to_partner", message="x" * 3_000, files_involved=["a/very/long/path/" * 20])
    bob.good("send_to_partner", message="\u202eturned\u200b around")
    page = signed_in(chromium, place, said, color_scheme=scheme, viewport={"width": 320, "height": 640})
    for path in ("/conversations", f"/conversations/{mine}", f"/conversations/{mine}?q=turned"):
        at(page, path)
        live(page)
        assert page.evaluate(WIDE) <= 320, path
    expect(page.locator("#message-2 .unseen").first).to_have_text("\\u202e")
    assert said == []
    page.context.close()


def test_without_javascript_a_person_reads_searches_and_writes(chromium: Browser, place: Place) -> None:
    alice, bob, mine = place.pair()
    alice.good("send_to_partner", message="hello")
    page = signed_in(chromium, place, [], script=False)
    at(page, f"/conversations/{mine}", script=False)
    page.get_by_label("Message, as the operator").fill("written without scripts")
    page.get_by_role("button", name="Send as operator").click()
    expect(page.locator("#message-2")).to_contain_text("written without scripts")
    assert [one["message"] for one in bob.good("check_messages")["messages"]] == ["hello", "written without scripts"]
    page.get_by_role("searchbox", name="Search").fill("hello")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#message-1")).to_be_visible()
    expect(page.locator("#message-2")).to_have_count(0)
    at(page, "/conversations?q=backend", script=False)
    page.get_by_role("link", name=mine).click()
    expect(page.get_by_role("heading", name=f"Conversation {mine}")).to_be_visible()
    page.context.close()
