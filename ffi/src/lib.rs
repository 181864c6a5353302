//! The C door of anyclaude.
