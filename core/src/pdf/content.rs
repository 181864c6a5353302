//! Content streams reduced to well-formed text operators.
//!
//! The parser panics on an operator with wrong operands, an unknown colour space or a missing font.
//! None of these matter for text, so only what places and shows text is kept, and only if it is
//! complete.

use std::collections::HashSet;

use pdf_extract::Object;
use pdf_extract::content::{Content, Operation};

/// The text operators of a stream. `fonts` are the font names that may be used, `forms` the names
/// of the forms that may be drawn; a `Do` of any other name (an image) is dropped.
pub(super) fn reduce(
    content: Content<Vec<Operation>>,
    fonts: &HashSet<Vec<u8>>,
    forms: &HashSet<Vec<u8>>,
) -> Content<Vec<Operation>> {
    let mut state = State { has_font: false, saved: Vec::new() };
    let operations = content.operations.into_iter().filter(|operation| state.keeps(operation, fonts, forms)).collect();
    Content { operations }
}

struct State {
    has_font: bool,
    /// `has_font` of the surrounding `q` ... `Q` levels.
    saved: Vec<bool>,
}

impl State {
    fn keeps(&mut self, operation: &Operation, fonts: &HashSet<Vec<u8>>, forms: &HashSet<Vec<u8>>) -> bool {
        let operands = operation.operands.as_slice();
        let numbers = |count| operands.len() == count && operands.iter().all(is_number);
        match operation.operator.as_str() {
            "BT" | "ET" | "T*" => operands.is_empty(),
            "q" => {
                let room = self.saved.len() < MAX_SAVED_STATES;
                if room {
                    self.saved.push(self.has_font);
                }
                room
            }
            "Q" => self.saved.pop().is_some_and(|had_font| {
                self.has_font = had_font;
                true
            }),
            "cm" | "Tm" => numbers(6),
            "Td" | "TD" => numbers(2),
            "Tc" | "Tw" | "Tz" | "TL" | "Ts" => numbers(1),
            "Tf" => match operands {
                [Object::Name(name), size] if is_number(size) && fonts.contains(name) => {
                    self.has_font = true;
                    true
                }
                _ => false,
            },
            "Tj" | "'" => self.has_font && matches!(operands, [Object::String(..)]),
            "\"" => self.has_font && matches!(operands, [a, b, Object::String(..)] if is_number(a) && is_number(b)),
            "TJ" => {
                self.has_font
                    && matches!(operands, [Object::Array(items)] if items.iter().all(|item| is_number(item) || matches!(item, Object::String(..))))
            }
            "Do" => matches!(operands, [Object::Name(name)] if forms.contains(name)),
            _ => false,
        }
    }
}

fn is_number(object: &Object) -> bool {
    match object {
        Object::Integer(_) => true,
        Object::Real(value) => value.is_finite(),
        _ => false,
    }
}

/// The standard asks for 28 levels; each costs memory.
const MAX_SAVED_STATES: usize = 256;
