//! One round: a session of Claude Code with its subagents, on a prompt that no server has seen.

use serde_json::Value;

use super::answer::{Answer, Figures};
use super::changes;
use super::prose::Prose;
use super::session::Session;
use super::world::World;
use crate::commands::live::client::Client;
use crate::failure::Failure;
use crate::output::Busy;

/// What is measured, in the order it is sent and shown in.
pub(super) const CASES: [&str; 12] = [
    COLD,
    SAME,
    OTHER_WORDS,
    NEXT_TURN,
    FIRST_SUBAGENT,
    MAIN_AGAIN,
    SECOND_SUBAGENT,
    IN_TURNS,
    NEW_SESSION,
    TURNED_TOOLS,
    FORMS,
    ADDED_TOOL,
];

/// The first request of a session.
pub(super) const COLD: &str = "cold";
/// The first request again.
const SAME: &str = "same request";
/// The turn is taken back, and other words are said in its place.
const OTHER_WORDS: &str = "other last message";
/// The session goes on.
pub(super) const NEXT_TURN: &str = "next turn";
/// Another prompt and other tools, for the first time.
const FIRST_SUBAGENT: &str = "first subagent";
/// The session goes on after its subagent.
pub(super) const MAIN_AGAIN: &str = "main again after a subagent";
/// The subagent's prompt and tools with another task.
pub(super) const SECOND_SUBAGENT: &str = "second subagent of a kind";
/// The session goes on while a subagent does, and titles are asked for.
pub(super) const IN_TURNS: &str = "main, subagent and titles in turns";
/// Same prompt and tools, other first words.
pub(super) const NEW_SESSION: &str = "new session";
/// The session goes on, with its tools in another order.
pub(super) const TURNED_TOOLS: &str = "tools in another order";
/// The session goes on; what has been said is written in another form.
pub(super) const FORMS: &str = "keys and forms";
/// The session goes on with one more tool.
const ADDED_TOOL: &str = "a tool was added";

/// A round that goes on.
pub(super) struct Round<'c> {
    client: &'c Client,
    /// Which of how many, for people.
    title: String,
    measured: Vec<(&'static str, Figures)>,
}

impl<'c> Round<'c> {
    pub(super) fn new(client: &'c Client, title: String) -> Self {
        Round { client, title, measured: Vec::new() }
    }

    /// Sends everything; gives the figures of each case.
    pub(super) fn run(mut self, seed: u64, tokens: u64) -> Result<Vec<(&'static str, Figures)>, Failure> {
        let world = World::new(seed, tokens);
        // Other words than those of the world, which begins with the same seed.
        let prose = &mut Prose::new(!seed);
        let mut main = Session::new(&world, prose);
        self.measure(COLD, &mut main, |_| {})?;
        self.measure(SAME, &mut main, |_| {})?;
        let mut taken_back = main.clone();
        taken_back.go_on(prose);
        self.send(OTHER_WORDS, &mut taken_back.clone(), |_| {})?;
        taken_back.reword(prose);
        self.measure(OTHER_WORDS, &mut taken_back, |_| {})?;
        main.go_on(prose);
        self.measure(NEXT_TURN, &mut main, |_| {})?;
        self.measure(FIRST_SUBAGENT, &mut main.subagent(&world, prose), |_| {})?;
        main.go_on(prose);
        self.measure(MAIN_AGAIN, &mut main, |_| {})?;
        let mut subagent = main.subagent(&world, prose);
        self.measure(SECOND_SUBAGENT, &mut subagent, |_| {})?;
        for is_last in [false, true] {
            self.send(IN_TURNS, &mut main.title(&world, prose), |_| {})?;
            subagent.go_on(prose);
            self.send(IN_TURNS, &mut subagent, |_| {})?;
            main.go_on(prose);
            let figures = self.send(IN_TURNS, &mut main, |_| {})?;
            if is_last {
                self.measured.push((IN_TURNS, figures));
            }
        }
        self.measure(NEW_SESSION, &mut Session::new(&world, prose), |_| {})?;
        self.turn(TURNED_TOOLS, &mut main, prose, changes::turn_tools)?;
        self.turn(FORMS, &mut main, prose, changes::reform)?;
        self.turn(ADDED_TOOL, &mut main, prose, |body| changes::add_tool(body, &world.added_tool))?;
        Ok(self.measured)
    }

    /// A turn with a change, behind one without: so each change is seen by itself, also on a server that
    /// remembers one prompt only.
    fn turn(
        &mut self,
        case: &'static str,
        session: &mut Session<'_>,
        prose: &mut Prose,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Failure> {
        session.go_on(prose);
        self.send(case, session, |_| {})?;
        session.go_on(prose);
        self.measure(case, session, change)
    }

    fn measure(
        &mut self,
        case: &'static str,
        session: &mut Session<'_>,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Failure> {
        let figures = self.send(case, session, change)?;
        self.measured.push((case, figures));
        Ok(())
    }

    fn send(
        &self,
        case: &'static str,
        session: &mut Session<'_>,
        change: impl FnOnce(&mut Value),
    ) -> Result<Figures, Failure> {
        let _busy = Busy::new(format!("{}: {case}", self.title));
        let mut body = session.request();
        change(&mut body);
        let answer = Answer::ask(self.client, &session.headers(), body);
        let answer = answer.map_err(|error| Failure::new(format!("{}: {case}: {error}", self.title)))?;
        let figures = answer.figures();
        session.answered(answer.into_echo());
        Ok(figures)
    }
}
