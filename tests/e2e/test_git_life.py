"""The life of a repository, commit by commit, with `send` after each.

People rename, split and merge what they have written. What the manifests say is what each person
gets, once; whatever would be sent again stops, and what is said then leads on.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tests.support.cases import cases
from tests.support.git import git
from tests.support.postgres import Database
from tests.support.project import NewProject, Project, Result, text

ANNA, BORIS, VERA = "79001234501", "79001234502", "79001234503"
NOBODY: Mapping[str, list[str]] = {}
SALE = '[[messages]]\nid = "spring"\nrecipients = "people.csv"\ntext.body = "Sale, {{ name }}!"\n'


class Repository:
    """A project in git; `copies`: what has arrived so far, by person."""

    def __init__(self, project: Project) -> None:
        self.project, self.folder = project, project.folder
        self.manifests = self.folder / "manifests"
        self.copies = self.arrived()

    @classmethod
    def of(cls, project: Project, **files: str) -> "Repository":
        """A new one, with these manifests in its first commit."""
        project.config("")
        git(project.folder, "init")
        project.write(".gitignore", ".dispatcher/\n")
        repository = cls(project)
        repository.commit("First", **files)
        return repository

    def beside(self, folder: Path) -> "Repository":
        """Another working tree of it, with the same gateway."""
        project = Project(folder)
        project.inbox, project.environment = self.project.inbox, self.project.environment
        return Repository(project)

    def commit(self, why: str, **files: str | None) -> None:
        """Commit the working tree, with these manifests in it; None: without it."""
        for name, messages in files.items():
            if messages is None:
                (self.manifests / f"{name}.toml").unlink()
            else:
                self.project.manifest(messages, f"manifests/{name}.toml")
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--message", why)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what stands once in a file below manifests, and commit."""
        path = self.manifests / name
        before = path.read_text(encoding="utf-8")
        assert before.count(old) == 1, before
        path.write_text(before.replace(old, new), encoding="utf-8")
        self.commit(f"{old} is {new}")

    def move(self, old: str, new: str) -> None:
        (self.manifests / new).parent.mkdir(exist_ok=True)
        git(self.manifests, "mv", old, new)
        self.commit(f"{old} is {new}")

    def send(self, arrives: Mapping[str, list[str]], *options: str, code: int = 0) -> Result:
        """Exactly this arrives by one `send`, which ends with this code."""
        result = self.project.call("send", *options)
        assert result.code == code, result.stdout + result.stderr
        before, self.copies = self.copies, self.arrived()
        new = {to: all_[len(before.get(to, ())) :] for to, all_ in self.copies.items()}
        assert {to: texts for to, texts in new.items() if texts} == arrives
        return result

    def stops(self, id: str, *options: str) -> str:
        """`send` stops because of this message, and nothing arrives; what it says of it."""
        self.copies = self.arrived()
        result = self.send(NOBODY, *options, code=2)
        assert result.stdout == ""
        [said] = [line for line in result.stderr.splitlines() if f'message "{id}": ' in line]
        return said.partition(f'message "{id}": ')[2]

    def arrived(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self.project.inbox.messages():
            found.setdefault(each["to"], []).append(each["payload"]["text"]["body"])
        return found

    def follow(self, said: str, name: str, id: str) -> None:
        """Write what was said into the manifest, at its top or in the message, and commit."""
        found = re.search(r" say ((\w+) = \S+?)(?: in it| above \[\[messages\]\])[;]", said)
        assert found is not None, said
        line, key = found[1], found[2]
        path = self.manifests / name
        content = path.read_text(encoding="utf-8")
        head, mark, rest = content.partition("manifest = 1\n")
        if "above [[messages]]" not in found[0]:
            head, mark, rest = content.partition(f'id = "{id}"\n')
        written = re.match(rf"{key} = .*\n", rest)
        if written is not None:
            rest = rest[written.end() :]
            if key == "moved_from":
                line = f"{key} = {_names(written[0]) + _names(line)}"
        path.write_text(f"{head}{mark}{line}\n{rest}", encoding="utf-8")
        self.commit(line)


def _names(line: str) -> list[str]:
    names = tomllib.loads(line)["moved_from"]
    return [names] if isinstance(names, str) else list(names)


def test_a_year_of_a_shop(project: Project) -> None:
    project.write("manifests/people.csv", f"to,name\n{ANNA},Anna\n{BORIS},Boris\n")
    shop = Repository.of(
        project,
        news=text("hello", [ANNA, BORIS], "Welcome") + text("hours", ANNA, "Open 9 to 5"),
        sale=SALE,
    )
    shop.send({ANNA: ["Welcome", "Open 9 to 5", "Sale, Anna!"], BORIS: ["Welcome", "Sale, Boris!"]})
    shop.send(NOBODY)

    # A file is renamed, and nobody says so.
    shop.move("sale.toml", "offers.toml")
    shop.follow(shop.stops("spring"), "offers.toml", "spring")
    shop.send(NOBODY)

    # The list of recipients changes.
    shop.edit("people.csv", f"{BORIS},Boris\n", f"{BORIS},Boris\n{VERA},Vera\n")
    shop.send({VERA: ["Sale, Vera!"]})
    shop.edit("people.csv", f"{BORIS},Boris\n", "")
    shop.send(NOBODY)
    shop.edit("people.csv", f"{ANNA},Anna\n", f"{BORIS},Boris\n{ANNA},Anna\n")
    shop.send(NOBODY)

    # An id changes, again and again; the third time, what it was called at first is taken out.
    shop.edit("news.toml", 'id = "hello"\n', 'id = "welcome"\nmoved_from = "hello"\n')
    shop.send(NOBODY)
    new = 'id = "greeting"\nmoved_from = ["welcome", "hello"]\n'
    shop.edit("news.toml", 'id = "welcome"\nmoved_from = "hello"\n', new)
    shop.send(NOBODY)
    shop.edit("news.toml", new, 'id = "intro"\nmoved_from = "greeting"\n')
    shop.follow(shop.stops("intro"), "news.toml", "intro")
    shop.send(NOBODY)

    # Words are corrected: alone, with a new revision, and together with the id.
    shop.edit("news.toml", "Open 9 to 5", "Open 9 to 6")
    assert "raise revision" in shop.send(NOBODY).stderr
    shop.edit("news.toml", 'id = "hours"\n', 'id = "hours"\nrevision = 2\n')
    shop.send({ANNA: ["Open 9 to 6"]})
    shop.edit("news.toml", 'id = "hours"\n', 'id = "opening"\nmoved_from = "hours"\n')
    shop.edit("news.toml", "Open 9 to 6", "Open 9 to 7")
    assert "news/opening (1 person)" in shop.send(NOBODY).stderr
    shop.send({ANNA: ["Open 9 to 7"]}, "--resend", "changed", "--yes")
    shop.send(NOBODY)

    # A message goes to another file, and then several do: "hours" is not what that had.
    news = (shop.manifests / "news.toml").read_text()
    intro, table, opening = news.removeprefix("manifest = 1\n").rpartition("[[messages]]")
    shop.commit("The hours have a file", news=intro, shop=table + opening)
    shop.follow(shop.stops("opening"), "shop.toml", "opening")
    shop.send(NOBODY)
    more = text("bye", BORIS, "Bye") + text("tips", BORIS, "Tips")
    shop.commit("More", news=intro + more)
    shop.send({BORIS: ["Bye", "Tips"]})
    shop.commit("A club", news=intro, club=more)
    shop.follow(shop.stops("bye"), "club.toml", "bye")
    shop.follow(shop.stops("tips"), "club.toml", "tips")
    shop.send(NOBODY)

    # Two files become one; what each message was called goes with it.
    two = [(shop.manifests / f"{name}.toml").read_text() for name in ("club", "shop")]
    one = "".join(each.removeprefix("manifest = 1\n") for each in two)
    shop.commit("One file", club=None, shop=None, misc=one)
    shop.send(NOBODY)

    # Ids are numbered anew.
    steps = text("1", BORIS, "Step one") + text("2", BORIS, "Step two")
    shop.commit("Steps", steps=steps)
    shop.send({BORIS: ["Step one", "Step two"]})
    anew = text("1", BORIS, "Step zero") + text("2", BORIS, "Step one")
    shop.commit("A step before", steps=anew + text("3", BORIS, "Step two"))
    said = shop.stops("3")
    assert "as steps/2, which is not for them any more, or has other words" in said
    assert "if it is the same message, put that back" in said
    git(shop.folder, "revert", "--no-edit", "HEAD")
    shop.commit("A step before", steps=text("0", BORIS, "Step zero") + steps)
    shop.send({BORIS: ["Step zero"]})

    # A message is deleted; a month later another one has its words.
    misc = (shop.manifests / "misc.toml").read_text().removeprefix("manifest = 1\n")
    tips = misc[misc.index('[[messages]]\nid = "tips"') :].partition("\n[[messages]]")[0] + "\n"
    shop.commit("No tips", misc=misc.replace(tips, ""))
    shop.send(NOBODY)
    shop.commit("Tips", december=text("tips-12", BORIS, "Tips"))
    assert "if it is another one, moved_from = []" in shop.stops("tips-12")
    shop.edit("december.toml", 'id = "tips-12"\n', 'id = "tips-12"\nmoved_from = []\n')
    shop.send({BORIS: ["Tips"]})

    # Some recipients get a message of their own, with the same words.
    shop.edit("news.toml", f'["{ANNA}", "{BORIS}"]', f'["{ANNA}"]')
    shop.commit("Boris, too", boris=text("intro", BORIS, "Welcome"))
    assert "the same message as news/intro, make one of the two" in shop.stops("intro")
    git(shop.folder, "revert", "--no-edit", "HEAD", "HEAD~1")
    shop.send(NOBODY)

    # A revision is raised, somebody comes, and the revision is taken back.
    shop.edit("news.toml", 'id = "intro"\n', 'id = "intro"\nrevision = 2\n')
    shop.edit("news.toml", f'"{BORIS}"]', f'"{BORIS}", "{VERA}"]')
    shop.send({ANNA: ["Welcome"], BORIS: ["Welcome"], VERA: ["Welcome"]})
    shop.edit("news.toml", "revision = 2\n", "")
    shop.follow(shop.stops("intro"), "news.toml", "intro")
    shop.send(NOBODY)

    # A file goes to a folder, which changes nothing, and gets another name there.
    git(shop.folder, "mv", "manifests/people.csv", "people.csv")
    (shop.manifests / "sales").mkdir()
    git(shop.folder, "mv", "people.csv", "manifests/sales/people.csv")
    shop.move("offers.toml", "sales/offers.toml")
    shop.send(NOBODY)
    shop.edit("sales/offers.toml", "[[messages]]", 'name = "deals"\n[[messages]]')
    shop.follow(shop.stops("spring"), "sales/offers.toml", "spring")
    shop.send(NOBODY)

    # A copy is no rename, and a name that nothing had is none.
    shop.commit("Party", party=text("party", VERA, "Party!"))
    shop.send({VERA: ["Party!"]})
    shop.commit("A copy", feast='moved_from = "party"\n' + text("party", VERA, "Party!"))
    assert "party/party is still there" in shop.send(NOBODY, code=2).stderr
    shop.commit("No copy", party=None)
    shop.send(NOBODY)
    shop.edit("feast.toml", 'moved_from = "party"', 'moved_from = "partie"')
    said = shop.send(NOBODY, code=2).stderr
    assert 'nothing was sent as "partie", and nothing in git was ever called that' in said
    shop.edit("feast.toml", 'moved_from = "partie"\n', "")
    shop.follow(shop.stops("party"), "feast.toml", "party")
    shop.send(NOBODY)

    assert shop.copies == {
        ANNA: ["Welcome", "Open 9 to 5", "Sale, Anna!", "Open 9 to 6", "Open 9 to 7", "Welcome"],
        BORIS: [
            *("Welcome", "Sale, Boris!", "Bye", "Tips", "Step one", "Step two", "Step zero"),
            *("Tips", "Welcome"),
        ],
        VERA: ["Sale, Vera!", "Welcome", "Party!"],
    }


def test_what_did_not_arrive_is_renamed(project: Project) -> None:
    project.inbox.faults(
        [
            {"to": BORIS, "fault": "status", "status": 400, "code": 1022, "times": 1},
            {"to": VERA, "fault": "reset_after", "times": 1},
        ]
    )
    shop = Repository.of(project, news=text("hello", [ANNA, BORIS, VERA], "Welcome"))
    shop.send({ANNA: ["Welcome"], VERA: ["Welcome"]}, code=5)
    shop.edit("news.toml", 'id = "hello"\n', 'id = "welcome"\nmoved_from = "hello"\n')
    said = shop.send({BORIS: ["Welcome"]}, code=5).stderr
    settle = re.search(r"^unknown, if it arrived: dispatcher (settle \S+ --sent)$", said, re.M)
    assert settle is not None, said
    assert f"default/news/hello/1/{VERA}" in settle[1], "the record is where it was"
    assert project.call(*settle[1].split()).code == 0
    shop.send(NOBODY)


@cases("order", ("names", "words"), ("words", "names"))
@cases("says", True, False, ids=["said", "not said"])
def test_two_branches_are_merged(project: Project, order: tuple[str, str], says: bool) -> None:
    """One renames a file and an id, the other corrects words and has somebody new."""
    project.write("manifests/people.csv", f"to\n{ANNA}\n{BORIS}\n")
    hello = '[[messages]]\nid = "hello"\n\nrecipients = "people.csv"\ntext.body = "Welcome"\n\n\n\n'
    shop = Repository.of(project, news=hello + text("hours", ANNA, "Open 9 to 5"))
    shop.send({ANNA: ["Welcome", "Open 9 to 5"], BORIS: ["Welcome"]})

    git(shop.folder, "switch", "-c", "names")
    shop.move("news.toml", "bulletin.toml")
    shop.edit("bulletin.toml", 'id = "hello"\n', 'id = "welcome"\n')
    if says:
        shop.edit("bulletin.toml", '"welcome"\n', '"welcome"\nmoved_from = "hello"\n')
        shop.edit("bulletin.toml", "manifest = 1\n", 'manifest = 1\nmoved_from = "news"\n')
        shop.send(NOBODY)
    else:
        shop.stops("welcome")

    git(shop.folder, "switch", "-c", "words", "main")
    shop.edit("people.csv", f"{BORIS}\n", f"{BORIS}\n{VERA}\n")
    shop.edit("news.toml", "Open 9 to 5", "Open 9 to 6")
    shop.edit("news.toml", 'id = "hours"\n', 'id = "hours"\nrevision = 2\n')
    shop.send({VERA: ["Welcome"], ANNA: ["Open 9 to 6"]})

    git(shop.folder, "switch", "main")
    shop.send(NOBODY)
    for branch in order:
        git(shop.folder, "merge", "--no-edit", branch)
        if not says and (shop.manifests / "bulletin.toml").exists():
            shop.stops("welcome")
        else:
            shop.send(NOBODY)
    if not says:
        shop.follow(shop.stops("welcome"), "bulletin.toml", "welcome")
        shop.follow(shop.stops("hours"), "bulletin.toml", "hours")
        shop.send(NOBODY)


def test_a_linked_worktree_and_an_older_checkout(project: Project) -> None:
    shop = Repository.of(project, news=text("hello", ANNA, "Welcome"))
    shop.send({ANNA: ["Welcome"]})
    linked = shop.folder.with_name(f"{shop.folder.name}-linked")
    git(shop.folder, "worktree", "add", "-b", "names", linked)

    tree = shop.beside(linked)
    tree.edit("news.toml", 'id = "hello"\n', 'id = "welcome"\nmoved_from = "hello"\n')
    tree.send(NOBODY)
    tree.edit("news.toml", f'"{ANNA}"', f'["{ANNA}", "{BORIS}"]')
    tree.send({BORIS: ["Welcome"]})

    # Where nobody knows the new name yet, Boris is somebody new, but he has the words.
    shop.edit("news.toml", f'"{ANNA}"', f'["{ANNA}", "{BORIS}"]')
    assert "as news/welcome, which is in no manifest any more" in shop.stops("hello")
    git(shop.folder, "merge", "-X", "theirs", "--no-edit", "names")
    shop.send(NOBODY)


def test_a_clone_in_another_place(
    project: Project, new_project: NewProject, database: Database
) -> None:
    project.journal_at(database.url)
    shop = Repository.of(project, news=text("hello", [ANNA, BORIS], "Welcome"))
    shop.send({ANNA: ["Welcome"], BORIS: ["Welcome"]}, "--yes")
    folder = new_project().folder / "clone"
    git(shop.folder, "clone", shop.folder, folder)
    clone = shop.beside(folder)
    clone.send(NOBODY)

    shop.move("news.toml", "bulletin.toml")
    shop.follow(shop.stops("hello"), "bulletin.toml", "hello")
    shop.edit("bulletin.toml", f'"{BORIS}"', f'"{BORIS}", "{VERA}"')
    shop.send({VERA: ["Welcome"]})

    clone.copies = clone.arrived()
    clone.send(NOBODY)
    git(clone.folder, "pull", "--ff-only")
    clone.send(NOBODY)
    clone.edit("bulletin.toml", 'id = "hello"\n', 'id = "welcome"\nmoved_from = "hello"\n')
    clone.send(NOBODY)
    git(shop.folder, "pull", "--ff-only", clone.folder, "main")
    shop.send(NOBODY)
