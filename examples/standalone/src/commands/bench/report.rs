//! What the rounds have shown, for people and for programs.

use anyclaude_core::proxy::BackendInfo;
use serde::Serialize;

use super::answer::Figures;
use super::round::{CASES, COLD, FORMS, IN_TURNS, MAIN_AGAIN, NEW_SESSION, NEXT_TURN, SECOND_SUBAGENT, TURNED_TOOLS};
use crate::output::{self, BAD, GOOD, ODD, styled};

/// What must be about as quick as the next turn of a session.
const AS_THE_NEXT_TURN: [&str; 6] = [SECOND_SUBAGENT, NEW_SESSION, MAIN_AGAIN, IN_TURNS, TURNED_TOOLS, FORMS];

/// At least this share of the next turn's ratio.
const GOAL: f64 = 0.8;

/// A next turn that is not this many times as fast as a cold start shows that nothing is kept.
const KEPT: f64 = 2.0;

/// The report of all rounds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    backend: Option<BackendInfo>,
    /// Medians.
    cases: Vec<Case>,
    goals: Vec<Goal>,
    rounds: Vec<Vec<Case>>,
    /// What is odd about the figures, and what the proxy noticed meanwhile.
    warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Case {
    case: &'static str,
    /// How many times as fast as the cold start of its round.
    ratio: f64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
struct Goal {
    case: &'static str,
    ratio: f64,
    /// Of the next turn's ratio.
    share: f64,
    pass: bool,
}

impl Report {
    pub(super) fn new(backend: Option<BackendInfo>, rounds: &[Vec<(&'static str, Figures)>]) -> Self {
        let rounds: Vec<Vec<Case>> = rounds.iter().map(|round| with_ratios(round)).collect();
        let cases: Vec<Case> = CASES.into_iter().map(|case| medians(case, &rounds)).collect();
        let ratio = |wanted| cases.iter().find(|case| case.case == wanted).map_or(0.0, |case| case.ratio);
        let next_turn = ratio(NEXT_TURN);
        let goal = |case| {
            let share = divided(ratio(case), next_turn);
            // As quick as a next turn that is slow itself is no success.
            Goal { case, ratio: ratio(case), share, pass: share >= GOAL && next_turn >= KEPT }
        };
        let goals = AS_THE_NEXT_TURN.into_iter().map(goal).collect();
        let mut warnings = Vec::new();
        if next_turn < KEPT {
            warnings
                .push("the next turn is hardly faster than a cold start: the server keeps no prompt cache".to_owned());
        }
        if cases.iter().all(|case| case.figures.reused_tokens == 0) {
            warnings.push("the server does not tell how many tokens it reused; go by the seconds".to_owned());
        }
        Report { backend, cases, goals, rounds, warnings }
    }

    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        self.warnings.extend(warnings);
    }

    pub(super) fn print(&self) -> std::io::Result<()> {
        let width = CASES.iter().map(|case| case.len()).max().unwrap_or(0);
        output::line(format_args!("{:width$}  seconds   x cold   prompt   reused", "case"))?;
        for Case { case, ratio, figures } in &self.cases {
            let Figures { seconds, prompt_tokens, reused_tokens } = figures;
            let share = 100.0 * divided(*reused_tokens as f64, *prompt_tokens as f64);
            output::line(format_args!(
                "{case:width$}  {seconds:7.2}  {ratio:7.1}  {prompt_tokens:7}  {reused_tokens:7}  {share:3.0} %"
            ))?;
        }
        let next_turn = self.cases.iter().find(|case| case.case == NEXT_TURN).map_or(0.0, |case| case.ratio);
        output::line(format_args!("\ngoals: at least {:.0} % of the next turn's {next_turn:.1} x", GOAL * 100.0))?;
        for Goal { case, ratio, share, pass } in &self.goals {
            let mark = if *pass { styled(GOOD, "pass") } else { styled(BAD, "miss") };
            output::line(format_args!("{mark}  {case:width$}  {ratio:7.1} x  {:4.0} %", share * 100.0))?;
        }
        for warning in &self.warnings {
            output::line(format_args!("{}  {warning}", styled(ODD, "warning")))?;
        }
        Ok(())
    }
}

fn with_ratios(round: &[(&'static str, Figures)]) -> Vec<Case> {
    let cold = round.iter().find(|(case, _)| *case == COLD).map_or(0.0, |(_, figures)| figures.seconds);
    round.iter().map(|&(case, figures)| Case { case, ratio: divided(cold, figures.seconds), figures }).collect()
}

fn medians(case: &'static str, rounds: &[Vec<Case>]) -> Case {
    let all: Vec<&Case> = rounds.iter().flatten().filter(|measured| measured.case == case).collect();
    let of = |value: fn(&Case) -> f64| median(all.iter().map(|case| value(case)).collect());
    Case {
        case,
        ratio: of(|case| case.ratio),
        figures: Figures {
            seconds: of(|case| case.figures.seconds),
            // A cast of a float saturates.
            prompt_tokens: of(|case| case.figures.prompt_tokens as f64) as u64,
            reused_tokens: of(|case| case.figures.reused_tokens as f64) as u64,
        },
    }
}

/// The middle value; of two, the mean.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index| values.get(index).copied().unwrap_or(0.0);
    if values.len() % 2 == 1 { at(middle) } else { (at(middle.saturating_sub(1)) + at(middle)) / 2.0 }
}

fn divided(of: f64, by: f64) -> f64 {
    if by > 0.0 { of / by } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(seconds: [f64; 12]) -> Vec<(&'static str, Figures)> {
        let figures = |seconds| Figures { seconds, prompt_tokens: 100, reused_tokens: 0 };
        CASES.into_iter().zip(seconds.map(figures)).collect()
    }

    #[test]
    fn ratios_are_of_their_round_and_goals_of_the_medians() {
        let quick = [1.0, 0.1, 0.1, 0.1, 1.0, 0.1, 0.12, 0.1, 0.1, 1.0, 0.1, 0.5];
        let slow = quick.map(|seconds| seconds * 3.0);
        let report = Report::new(None, &[round(quick), round(slow), round(quick)]);
        let passed: Vec<&str> = report.goals.iter().filter(|goal| goal.pass).map(|goal| goal.case).collect();
        assert_eq!(passed, [SECOND_SUBAGENT, NEW_SESSION, MAIN_AGAIN, IN_TURNS, FORMS]);
        assert!(report.rounds.iter().flatten().all(|case| case.case != NEXT_TURN || (case.ratio - 10.0).abs() < 1e-9));
        assert_eq!(report.warnings.len(), 1, "no figures of reuse");
    }

    #[test]
    fn without_a_cache_nothing_passes() {
        let report = Report::new(None, &[round([1.0; 12])]);
        assert!(report.goals.iter().all(|goal| !goal.pass && (goal.share - 1.0).abs() < 1e-9));
        assert_eq!(report.warnings.len(), 2, "no cache, and no figures of reuse");
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 2.0]), median(vec![])), (2.0, 3.0, 0.0));
    }
}
