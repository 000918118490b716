"""`dispatcher preview` in a browser."""

import re
import shutil

from playwright.sync_api import expect

from tests.support.project import EXAMPLES, Project

from .conftest import NewPage
from .waiting import wait_until


def test_the_examples_are_shown_and_nothing_is_sent(project: Project, new_page: NewPage) -> None:
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    with project.preview() as url:
        page = new_page(f"{url}/?chat=79001234567")
        expect(page.get_by_role("status").first).to_contain_text("no problems")
        expect(page.get_by_role("img", name="Image banner.png")).to_be_visible()
        expect(page.locator("video")).to_be_visible()
        expect(page.get_by_text("PDF · 2.5 kB")).to_be_visible()
        expect(page.get_by_text("Formatting is approximate.")).to_be_visible()
        page.get_by_role("link", name="Group 79001234567-1581234048").click()
        expect(page.get_by_role("heading", name="79001234567-1581234048")).to_be_visible()
    assert project.inbox.stats()["requests"] == project.inbox.stats()["uploads"] == 0
    assert not project.journal_file.exists()


def test_a_change_of_a_file_is_shown_without_a_reload(project: Project, new_page: NewPage) -> None:
    project.texts("hello")
    with project.preview() as url:
        page = new_page(url)
        expect(page.get_by_role("region", name="Messages")).to_contain_text("I am hello")
        project.texts("hello", "again")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("I am again")
        project.manifest("[[messages")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("Error")
        project.texts("fine")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("I am fine")
        expect(page.get_by_role("region", name="Messages")).not_to_contain_text("Error")


def test_a_change_of_configuration_is_not_passed_over(project: Project, new_page: NewPage) -> None:
    """What send would do then is not what the preview shows."""
    project.manifest('[[messages]]\nid = "a"\nto = "900 123-45-67"\ntext.body = "Hello"')
    project.config('country = "RU"')
    with project.preview() as url:
        page = new_page(url)
        expect(page.get_by_role("heading", name="+79001234567")).to_be_visible()
        project.config('country = "KZ"')
        messages = page.get_by_role("region", name="Messages")
        expect(messages).to_contain_text("dispatcher.toml has changed; start the preview again")
        expect(messages).not_to_contain_text("Hello")


def test_a_change_leaves_the_reader_where_they_were(project: Project, new_page: NewPage) -> None:
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    project.texts("hello")
    with project.preview() as url:
        page = new_page(f"{url}/?chat=79001234567")
        wait_until(page, "[...document.images].every(image => image.complete)")
        page.locator("#messages").evaluate("it => { it.scrollTop = it.scrollHeight / 2; }")
        before = page.locator("#messages").evaluate("it => it.scrollTop")
        assert before > 0

        project.texts("changed")
        expect(page.get_by_text("I am changed")).to_have_count(1)

        assert page.locator("#messages").evaluate("it => it.scrollTop") == before


def test_a_problem_is_shown_at_its_bubble(project: Project, new_page: NewPage) -> None:
    project.manifest(
        '[[messages]]\nid = "good"\nto = "79001234567"\ntext.body = "fine"\n'
        '[[messages]]\nid = "bad"\nto = "79001234567"\naudio.source = "missing.mp3"\n'
        '[[messages]]\nid = "lost"\nto = "79001234567"\ntext.body = "{{ name }}"\n'
    )
    with project.preview("manifests/m.toml") as url:
        page = new_page(url)
        good, bad = (page.get_by_role("listitem").filter(has_text=id) for id in ("good", "bad"))
        expect(bad.last).to_contain_text("no such file")
        expect(good.last).not_to_contain_text("Error")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("unknown variable")
        expect(page.get_by_role("status").first).to_contain_text("2 problems")


def test_a_problem_of_several_recipients_is_one(project: Project, new_page: NewPage) -> None:
    project.write("manifests/hello.txt", "Hello\n{{ nobody }}")
    project.manifest(
        '[[messages]]\nid = "all"\nto = ["79001234567", "79001234568", "Carl"]\n'
        'text.file = "hello.txt"\n'
        '[[messages]]\nid = "kinds"\nto = ["79001234567", "79001234567-1581234048"]\n'
        'recipient_type = "individual"\ntext.body = "Hi"\n'
        '[[messages]]\nid = "lost"\nto = ["79001234567", "79001234568"]\n'
        'transport = "none"\ntext.body = "Hi"\n'
    )
    terminal = project.call("validate")
    assert terminal.stderr == "4 errors\n"

    texts, lost = "unknown variable", "no transport named"
    kinds = '"to" is of the type "group"'
    told = {
        "+79001234567": [lost, texts],
        "+79001234568": [lost, texts],
        "Carl": [lost, texts, "neither a phone number"],
        "79001234567-1581234048": [lost, kinds],
    }
    with project.preview() as url:
        page = new_page(url)
        expect(page.get_by_role("status").first).to_contain_text("5 messages, 4 problems")
        for to, problems in told.items():
            chat = page.get_by_role("link", name=to, exact=False).filter(has_not_text=f"{to}-")
            chat.click()
            expect(page.get_by_role("heading", name=to)).to_be_visible()
            expect(page.locator(".problem")).to_contain_text(problems)
            expect(page.locator(".problem")).to_have_count(len(problems))
            own = len(problems) - 1  # a message that cannot be built is in no chat
            expect(chat.locator(".badge")).to_have_text(f"{own} problem{'s' * (own > 1)}")


def many(project: Project, count: int, last: str) -> None:
    """A message to each of so many recipients; the last has one of its own."""
    rows = "".join(f"{number}\n" for number in range(79000000000, 79000000000 + count))
    project.write("manifests/people.csv", f"to\n{rows}")
    news = '[[messages]]\nid = "news"\nrecipients = "people.csv"\ntext.body = "*Big* news!"\n'
    project.manifest(f'{news}[[messages]]\nid = "last"\nto = "{79000000000 + count - 1}"\n{last}')


def test_every_recipient_can_be_found(project: Project, new_page: NewPage) -> None:
    many(project, 450, 'text.body = "*Good* bye"')
    with project.preview() as url:
        page = new_page(url)
        recipients = page.get_by_role("navigation", name="Recipients").get_by_role("listitem")
        messages = page.get_by_role("region", name="Messages")
        expect(recipients).to_have_count(200)
        page.get_by_role("link", name="250 more recipients").click()
        expect(recipients).to_have_count(400)

        page.keyboard.press("/")
        page.keyboard.type("good bye")
        expect(recipients).to_contain_text(["+79000000449"])
        expect(messages).to_contain_text("Good bye")
        expect(messages).not_to_contain_text("Big news!")

        page.get_by_role("searchbox").fill("+7 900 000-03-33")
        expect(recipients).to_contain_text(["+79000000333"])
        expect(messages).to_contain_text("Big news!")
        page.get_by_role("searchbox").fill("no such thing")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()


def test_problems_are_found_among_many(project: Project, new_page: NewPage) -> None:
    many(project, 450, 'audio.source = "missing.mp3"')
    with project.preview() as url:
        page = new_page(url)
        recipients = page.get_by_role("navigation", name="Recipients").get_by_role("listitem")
        page.get_by_label("Which messages").select_option("Problems")
        expect(recipients).to_contain_text(["+79000000449"])
        expect(page.get_by_role("region", name="Messages")).to_contain_text("no such file")

        many(project, 450, 'text.body = "mended"')
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        expect(page.get_by_label("Which messages")).to_have_value("problems")


def test_a_problem_of_a_row_is_at_its_bubble_alone(project: Project, new_page: NewPage) -> None:
    project.write("manifests/news.txt", "Hello {{ nobody }}")
    project.write("manifests/people.csv", "to,name\n79000000001,Ann\n79000000002,Bob\nCarl,Carl\n")
    entry = '[[messages]]\nid = "{0}"\nrecipients = "people.csv"\ntext.{1}\n'
    project.manifest(
        entry.format("key", 'body = "{{ nobody }}"') + entry.format("file", 'file = "news.txt"')
    )
    with project.preview() as url:
        page = new_page(url)
        expect(page.get_by_role("status").first).to_contain_text("6 messages, 4 problems")
        problems = page.locator(".problem")
        for row, to in enumerate(["+79000000001", "+79000000002", "Carl"], 2):
            page.get_by_role("link", name=to).click()
            expect(page.get_by_role("heading", name=to)).to_be_visible()
            told = [re.compile(rf"people\.csv:{row}\b")] * (4 if to == "Carl" else 2)
            expect(page.get_by_role("listitem").locator(problems)).to_contain_text(told)
            expect(problems).to_have_count(len(told))


def test_traps_do_nothing(project: Project, new_page: NewPage) -> None:
    evil = "<img src=x onerror='window.evil=1'><script>window.evil=1</script>"
    entry = f'[[messages]]\nid = "m"\nto = "79001234567"\ntext.body = """{evil}"""\n'
    project.manifest(entry + f'[[messages]]\nid = """{evil}"""\nto = "1"\ntext.body = "x"')
    with project.preview() as url:
        page = new_page(url)
        expect(page.get_by_text("<script>").first).to_be_visible()
        assert page.locator("img, body script").count() == 0
        assert page.evaluate("window.evil") is None
