use super::*;
use serde_json::json;

fn violations(schema: &Value, input: &Value) -> Vec<String> {
    SchemaCache::default().violations(&schema.to_string(), input)
}

#[test]
fn violations_are_told_without_their_values() {
    let schema = json!({"type": "object", "required": ["z"], "additionalProperties": false, "properties": {
        "a": {"type": ["integer", "null"]}, "b": {"enum": ["x", "y"]}, "c": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "d": {"type": "array", "items": {"type": "object", "properties": {"e": {"type": "boolean"}}}},
        "f": {"pattern": "^(?!no)[a-z]+$"}, "g": {"minimum": 3}, "z": {}}});
    for (input, wanted) in [
        (json!({"z": 1, "a": 1, "b": "x", "c": [], "f": "yes", "g": 3}), &[][..]),
        (json!({}), &["\"z\" is missing"]),
        (json!({"z": 1, "a": "secret"}), &["/a: a string stands here, wanted is null or integer"]),
        (json!({"z": 1, "b": "secret"}), &["/b: a string that is none of \"x\", \"y\""]),
        (json!({"z": 1, "c": 4}), &["/c: an integer fits none of the 2 alternatives"]),
        (json!({"z": 1, "d": [{"e": "true"}]}), &["/d/0/e: a string stands here, wanted is boolean"]),
        (json!({"z": 1, "f": "nothing"}), &["/f: a string does not match `^(?!no)[a-z]+$`"]),
        (json!({"z": 1, "g": 2}), &["/g: an integer below 3"]),
        (json!({"z": 1, "more": 2}), &["the schema has no `more`"]),
        (json!([]), &["an array stands here, wanted is object"]),
    ] {
        assert_eq!(violations(&schema, &input), wanted, "{input}");
    }
    let many: Vec<u8> = vec![0; 99];
    assert_eq!(violations(&json!({"items": {"type": "string"}}), &json!(many)).len(), MAX_VIOLATIONS);
}

#[test]
fn what_cannot_be_checked_is_let_through() {
    for schema in [
        json!({"properties": {"a": {"$ref": "https://example.com/x.json"}}}),
        json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
        json!({"properties": {"a": {"type": "strng"}}}),
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"properties": {"a": {"pattern": "^(a{1,1000}){1,1000}$"}}}),
        json!({"$ref": "#/nowhere"}),
        json!({"$schema": "https://example.com/none", "$dynamicRef": "#x"}),
    ] {
        assert!(violations(&schema, &json!({"a": 1})).is_empty(), "{schema}");
    }
    let cache = SchemaCache::default();
    for text in ["", "{", "\"x\"", &format!("{{\"type\":\"string\",\"x\":\"{}\"}}", "x".repeat(MAX_SCHEMA_BYTES))] {
        assert!(cache.violations(text, &json!(1)).is_empty());
    }
}

#[test]
fn drafts_before_are_read_as_they_are_meant() {
    let schema =
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}, {"type": "null"}]});
    assert_eq!(violations(&schema, &json!(["x", 1])), ["/1: an integer stands here, wanted is null"]);
}

#[test]
fn schemas_that_explode_are_not_begun() {
    let double = |of: &dyn Fn(String) -> Value| {
        let defs: serde_json::Map<_, _> = (0..40)
            .map(|number| {
                let next = of(format!("#/$defs/a{}", number + 1));
                (format!("a{number}"), json!({"anyOf": [next, next]}))
            })
            .chain([("a40".to_owned(), json!({"type": "string"}))])
            .collect();
        json!({"$ref": "#/$defs/a0", "$defs": defs})
    };
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!({"a": deep});
    }
    let chain: serde_json::Map<_, _> =
        (0..2000).map(|number| (format!("a{number}"), json!({"$ref": format!("#/$defs/a{}", number + 1)}))).collect();
    let mut nested = json!({"type": "string"});
    for _ in 0..50 {
        nested = json!({"items": nested});
    }
    for schema in [
        double(&|next| json!({"$ref": next})),
        double(&|next| json!({"properties": {"a": {"$ref": next}}})),
        json!({"anyOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}, {"type": "string"}]}),
        json!({"$ref": "#/$defs/a0", "$defs": chain}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$ref": "#"}),
        json!({"patternProperties": {"^(?=(a+)+$)(a+)+b\\1$": {"not": {}}}}),
        nested,
    ] {
        assert!(violations(&schema, &deep).is_empty(), "{schema}");
        violations(&schema, &json!({"a".repeat(60): deep}));
    }
    let tree = json!({"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}});
    assert_eq!(violations(&tree, &json!({"a": {"a": {"b": 1}}})), ["/a/a/b: an integer stands here, wanted is string"]);
}

#[test]
fn schemas_are_compiled_once_and_age_out() {
    let cache = SchemaCache::default();
    let first = r#"{"type":"string"}"#;
    assert!(Arc::ptr_eq(&cache.validator(first).unwrap(), &cache.validator(first).unwrap()));
    for number in 0..MAX_SCHEMAS + 5 {
        cache.violations(&format!("{{\"minimum\":{number}}}"), &json!(1));
    }
    assert_eq!(cache.lock().len(), MAX_SCHEMAS);
}
