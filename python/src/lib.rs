//! The Python door of anyclaude.
