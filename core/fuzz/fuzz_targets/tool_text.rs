//! Whatever a model writes, how it was cut changes nothing, in any format and with all of them live.
#![no_main]

use anyclaude_core::toolcall::{Choice, Collector, Piece, ToolParser, formats, parse};
use anyclaude_fuzz::Input;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let mut choices = vec![Choice::Any, Choice::Model("llama-3"), Choice::Model("gpt-oss")];
    choices.extend(formats().map(Choice::Format));
    let choice = choices[usize::from(input.choice >> 1) % choices.len()];
    let opens = input.choice & 1 == 1;
    // Characters that are cut in two come out as others: the parser reads text.
    let pieces = input.pieces().map(String::from_utf8_lossy);
    let tools = tools();
    let mut parser = ToolParser::new(choice, &tools, opens);
    let mut collector = Collector::default();
    let mut sink = |piece: Piece<'_>| collector.take(piece);
    for piece in &pieces {
        parser.push(piece, &mut sink);
    }
    parser.finish(&mut sink);
    assert_eq!(collector.finish(), parse(choice, &tools, opens, &pieces.concat()));
});

fn tools() -> Vec<Value> {
    let schema = json!({"type": "object", "properties": {"port": {"type": "string"}, "cars": {"type": "integer"}}});
    vec![json!({"name": "find_ferry", "input_schema": schema})]
}
