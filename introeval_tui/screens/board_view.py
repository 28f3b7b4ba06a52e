"""The display of the main screen: the table of tasks, and the panels around it."""

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from introeval_tui.rows import attention, empty_states, gpu, header, panels, table
from introeval_tui.rows.cells import Row, fit, row
from introeval_tui.rows.selection import Selection
from introeval_tui.rows.state import PAGE, Link, ListView, Query, Scene
from introeval_tui.rows.table import rule
from introeval_tui.rows.target import Listing, Target
from introeval_tui.screens.keyed import KeyedScreen
from introeval_tui.screens.peek import Peek, edged
from introeval_tui.widgets.panel import Panel, RowSource

_TITLES = {2: "GPU", 3: "Engines", 4: "Attention", 5: "Events"}
_WIDE, _HIGH = 110, 32  # as the breakpoints of the app
_BESIDE = 24  # rows that the panels beside the list need
_ALARMS = {False: 3, True: 6}  # rows for the alarms in a low and in a high terminal


class Sheet(KeyedScreen):
    """The panels, over the `Selection` of the list, and that of the panel of what wants a person. All that
    they show comes from the scene of the app.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chosen, self.urgent = Selection(), Selection()
        self.query_now = Query()
        self.panel = 1
        self._scroll = dict.fromkeys(_TITLES, 0)
        self._heights = (0, 0)  # of the alarms and the events
        self._ended = False  # the class, when it was looked at last

    @property
    def under_cursor(self) -> Target | None:
        """The item under the cursor of the list or, in the panel of what wants a person, of that."""
        return (self.urgent if self.panel == 4 else self.chosen).current

    @property
    def targets(self) -> list[Target]:
        """The marked items, or the one under the cursor."""
        return (self.urgent if self.panel == 4 else self.chosen).targets

    @property
    def above(self) -> int:
        """The rows above the first item of the list."""
        return 1 if self.query_now.view is ListView.ATTENTION else 2

    @property
    def below(self) -> int:
        """The rows below the list: the whole reason, where no panel beside has it."""
        return 1 if self.query_now.view is ListView.ATTENTION and self.app.size.width < _WIDE else 0

    @property
    def rows_each(self) -> int:
        """The rows of an item of the list."""
        return attention.LINES if self.query_now.view is ListView.ATTENTION else 1

    def compose(self) -> ComposeResult:
        """Yield all panels. The style sheet shows those that have room."""
        yield self._panel("small", empty_states.small_rows)
        yield self._panel("top", self._top)
        yield self._panel("alarms", lambda w, h: panels.alarm_rows(self.dashboard.scene, w, h))
        yield self._panel("trouble", lambda w, h: empty_states.never_rows(self.dashboard.scene, w, h))
        with Horizontal(classes="columns"):
            with Vertical(classes="left"):
                yield self._panel("tasks", self._tasks)
            with Vertical(classes="right"):
                for number, name in ((2, "gpu"), (3, "engines"), (4, "urgent")):
                    yield self._panel(name, self._beside(number))
            with Vertical(classes="third"):
                yield Peek(self)
                yield self._panel("phases", self._phases)
        yield self._panel("zoom", lambda w, h: self._numbered(self.panel, w, h))
        yield self._panel("events", self._events)
        yield self._panel("keys", self._keys)

    def _panel(self, name: str, source: RowSource) -> Panel:
        return Panel(source, name, ascii_only=self.dashboard.setup.ascii_only)

    def draw(self) -> None:
        """Take the app's newest snapshot, and draw it."""
        scene = self.dashboard.scene
        known = scene.known
        if known.query.view is self.query_now.view:
            self.chosen.take(known.page or Listing())
        if self.panel != 4:
            self.urgent.restart()  # while nobody is in it, it begins with the most urgent
        urgent = known.urgent or Listing()
        self.urgent.take(replace(urgent, total=len(urgent.items)))
        self.set_class(known.status is None and known.link in (Link.DOWN, Link.FOREIGN), "-never")
        self._look_at_the_end(scene)
        self.redraw()

    def _lay_out(self) -> None:
        """Give the alarms the rows that they need, and the events those that the list leaves empty."""
        scene, (width, height) = self.dashboard.scene, self.app.size
        wide, high = width >= _WIDE, height >= _HIGH
        listed = self.query_now.view is ListView.ATTENTION
        alarms = 0 if listed else len(panels.alarm_rows(scene, width, _ALARMS[high]))
        has_class = header.has_class(scene)
        self.set_class(has_class, "-class")
        room = height - (4 if wide else 7) - has_class - alarms - 1
        needed = self.above + self.rows_each * self.chosen.listing.total + attention.REASON * self.below
        if not self.chosen.listing.total:
            needed = 1 + len(empty_states.empty_rows(scene, self.query_now, width))
        least = 6 if wide and high else 1
        free = room - max(needed, _BESIDE if wide else 0)
        heights = (alarms, max(least, min(free, len(scene.known.events) + 1)))
        if heights != self._heights:
            self._heights = heights
            for name, rows in zip(("alarms", "events"), heights, strict=True):
                panel = self.query_one(f"Panel.{name}", Panel)
                panel.styles.height = rows
                panel.set_class(not rows, "-none")

    def _look_at_the_end(self, scene: Scene) -> None:
        """Show what wants a person once, when the class has ended and nobody is doing something else."""
        status = scene.known.status
        if status is None or scene.stale:
            return
        ended = status.clock is not None and status.clock.state == "done"
        news, self._ended = ended and not self._ended, ended
        busy = self.chosen.marks or self.query_now.text or self.has_class("-line")
        if news and any(status.attention.values()) and self.query_now.view is ListView.OPEN and not busy:
            self.show_view(ListView.ATTENTION)

    def redraw(self) -> None:
        """Redraw the panels from the snapshot that was taken."""
        self._lay_out()
        for panel in self.query(Panel):
            panel.redraw()
        wanted = self.chosen.wanted(PAGE)
        if wanted is not None and wanted != self.query_now.offset:
            self.show_list(replace(self.query_now, offset=wanted))
        if self.has_class("-huge"):
            self.query_one(Peek).follow(self.chosen.current)

    def on_mount(self) -> None:
        """Lay out before the first frame."""
        self._lay_out()

    def on_resize(self) -> None:
        """Redraw, since another size shows other panels."""
        self.call_after_refresh(self.redraw)

    def _phases(self, width: int, height: int) -> list[Row]:
        scene, inner = self.dashboard.scene, width - 1
        title = rule("─Phases", "", inner, focused=False)
        return edged(header.dimmed(scene, [title, *gpu.phase_rows(scene, inner)]), inner, height)

    def _top(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        return header.wide_rows(scene, width) if height < 6 else header.top_rows(scene, width)

    def _tasks(self, width: int, height: int) -> list[Row]:
        scene, chosen = self.dashboard.scene, self.chosen
        known = scene.known
        chosen.height = max(1, (height - self.above - self.below) // self.rows_each)
        head = table.title_row(
            chosen.listing, self.query_now, len(chosen.marks), width, focused=self.panel == 1
        )
        if known.page is None:  # the first paint, before any answer
            return [head, table.heading(table.columns(width), known.query), row(width, ("   …", "dim"))]
        if known.query.view is not self.query_now.view:
            return [head, row(width, ("   …", "dim"))]
        if not chosen.listing.total:
            return [head, *empty_states.empty_rows(scene, known.query, width)]
        pending = {key: each.verb for key, each in self.dashboard.pending.items()}
        place = {"first": chosen.first, "cursor": chosen.cursor}
        if self.query_now.view is ListView.ATTENTION:
            rows = attention.list_rows(
                chosen.listing,
                self.key_names(),
                scene,
                width,
                height - 1 - self.below,
                marks=chosen.marks.keys(),
                pending=pending,
                **place,
            )
            if self.below:
                left = height - 1 - len(rows)
                why = attention.reason_rows(chosen.current, width)[: max(1, left)]
                rows += [row(width)] * (left - len(why)) + why
        else:
            rows = table.table_rows(
                chosen.listing,
                scene,
                width,
                height - 1,
                query=known.query,
                marks=chosen.marks.keys(),
                pending=pending,
                **place,
            )
        return [head, *rows]

    def _beside(self, number: int) -> RowSource:
        def source(width: int, height: int) -> list[Row]:
            return edged(self._numbered(number, width - 1, height), width - 1, height)

        return source

    def _numbered(self, number: int, width: int, height: int) -> list[Row]:
        """The rows of a panel with its title, at the operator's place in it."""
        scene = self.dashboard.scene
        room = max(1, height - 1)
        said = ""
        if number == 2:
            rows, said = gpu.gpu_rows(scene, width, room, phases=not self.has_class("-huge")), "last 5 min"
        elif number == 3:
            rows = panels.engine_rows(scene, width)
        elif number == 4:
            return self._urgent(width, room)
        else:
            rows = panels.event_rows(scene.known.events, width)
        self._scroll[number] = first = max(0, min(self._scroll[number], len(rows) - room))
        title = rule(
            f"─[{number}]{_TITLES[number]}",
            f" {said} ──" if said else "",
            width,
            focused=self.panel == number,
        )
        return header.dimmed(scene, [title, *rows[first : first + room]])

    def _urgent(self, width: int, room: int) -> list[Row]:
        """What wants a person or, beside the list of that, all of the one under the cursor."""
        scene, names, focused = self.dashboard.scene, self.key_names(), self.panel == 4
        urgent, at = self.urgent.listing, self.urgent.cursor
        total = scene.known.urgent.total if scene.known.urgent is not None else 0
        if self.query_now.view is ListView.ATTENTION and not focused:
            rows = attention.full_rows(self.chosen.current, names, scene, width)
        elif not total:
            rows = [row(width, (" nothing wants a person", "dim"))]
        else:
            first = max(0, at - room // attention.LINES + 1)
            rows = attention.list_rows(
                urgent, names, scene, width, room, first=first, cursor=at if focused else -1
            )
        title = rule("─[4]Attention", f" {total} ──", width, focused=focused)
        return header.dimmed(scene, [title, *rows])

    def _events(self, width: int, height: int) -> list[Row]:
        scene = self.dashboard.scene
        if height == 1:
            rows = panels.event_rows(scene.known.events[:1], width)
            return [[(text, "dim") for text, _ in pieces] for pieces in rows] if scene.stale else rows
        return self._numbered(5, width, height)

    def _keys(self, width: int, _: int) -> list[Row]:
        if (said := self.dashboard.said) is not None:
            return [row(width, (fit(f" {said[0]}", width), said[1]))]
        return [row(width, *self.foot(width))]

    def show_view(self, view: ListView) -> None:
        """Show another list, from its beginning and with nothing marked."""
        self.chosen.restart()
        self.show_list(replace(self.query_now, view=view, offset=0))

    def show_list(self, query: Query) -> None:
        """List other tasks."""
        self.query_now = query
        self.dashboard.show_list(query)
        self.redraw()
