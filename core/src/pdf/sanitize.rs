//! Makes one page harmless before the parser sees it: bounded content, known fonts, forms without
//! cycles, attributes on the page itself instead of inherited.

use std::collections::{HashMap, HashSet};

use pdf_extract::content::Content;
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::content::reduce;
use super::inflate::decoded;

/// Whether a page can be given to the parser.
pub(super) enum Page {
    Ready,
    Refused,
}

/// Remembers the forms that are done: documents draw the same form on every page.
#[derive(Default)]
pub(super) struct Sanitizer {
    /// Operators that drawing a form executes, with the forms inside; `None` while it is being done
    /// or when it must not be drawn.
    forms: HashMap<ObjectId, Option<usize>>,
    /// Content stream of the page that is prepared.
    content: Option<ObjectId>,
}

impl Sanitizer {
    /// Rewrites a page in place.
    pub(super) fn prepare(&mut self, document: &mut Document, id: ObjectId) -> Page {
        let Some(bytes) = page_content(document, id) else { return Page::Refused };
        let Ok(content) = Content::decode(&bytes) else { return Page::Refused };
        let resources =
            inherited(document, id, b"Resources").and_then(|object| object.as_dict().ok().cloned()).unwrap_or_default();
        let media_box = inherited(document, id, b"MediaBox")
            .and_then(|object| rectangle(document, &object))
            .unwrap_or_else(letter_page);
        let forms = self.drawable_forms(document, &resources, 0);
        let content = reduce(content, &font_names(document, &resources), &forms.keys().cloned().collect());
        if self.cost(&content, &forms) > MAX_OPERATORS {
            return Page::Refused;
        }
        let Ok(bytes) = content.encode() else { return Page::Refused };
        let content = document.add_object(Stream::new(Dictionary::new(), bytes));
        self.content = Some(content);
        let mut page = Dictionary::new();
        page.set("Type", Object::Name(b"Page".to_vec()));
        page.set("Resources", Object::Dictionary(resources));
        page.set("MediaBox", media_box);
        page.set("Contents", Object::Reference(content));
        document.objects.insert(id, Object::Dictionary(page));
        Page::Ready
    }

    /// Frees what was added for a page that was read.
    pub(super) fn release(&mut self, document: &mut Document, id: ObjectId) {
        if let Some(content) = self.content.take() {
            document.objects.remove(&content);
        }
        if let Some(Object::Dictionary(page)) = document.objects.get_mut(&id) {
            page.remove(b"Resources");
        }
    }

    /// The forms among the XObjects of some resources that may be drawn, with what they cost.
    fn drawable_forms(
        &mut self,
        document: &mut Document,
        resources: &Dictionary,
        depth: usize,
    ) -> HashMap<Vec<u8>, usize> {
        let names: Vec<(Vec<u8>, ObjectId)> = match resources.get_deref(b"XObject", document).and_then(Object::as_dict)
        {
            Ok(xobjects) => xobjects
                .iter()
                .take(MAX_XOBJECTS)
                .filter_map(|(name, object)| Some((name.clone(), object.as_reference().ok()?)))
                .collect(),
            Err(_) => return HashMap::new(),
        };
        names.into_iter().filter_map(|(name, id)| Some((name, self.form(document, id, depth)?))).collect()
    }

    /// Rewrites a form once; `None` if it must not be drawn: an image, too deep, or inside itself.
    fn form(&mut self, document: &mut Document, id: ObjectId, depth: usize) -> Option<usize> {
        if let Some(known) = self.forms.get(&id) {
            return *known;
        }
        if depth >= MAX_FORM_DEPTH {
            return None;
        }
        self.forms.insert(id, None);
        let stream = document.get_object(id).ok()?.as_stream().ok()?;
        if stream.dict.get(b"Subtype").and_then(Object::as_name).ok()? != b"Form" {
            return None;
        }
        let content = Content::decode(&decoded(stream, MAX_CONTENT_BYTES)?).ok()?;
        let mut dictionary = stream.dict.clone();
        // Without resources of its own a form would use the page's, which differ from page to page.
        let resources =
            dictionary.get_deref(b"Resources", document).and_then(Object::as_dict).cloned().unwrap_or_default();
        let forms = self.drawable_forms(document, &resources, depth + 1);
        let content = reduce(content, &font_names(document, &resources), &forms.keys().cloned().collect());
        let cost = self.cost(&content, &forms);
        if cost > MAX_OPERATORS {
            return None;
        }
        dictionary.remove(b"Filter");
        dictionary.remove(b"DecodeParms");
        dictionary.set("Resources", Object::Dictionary(resources));
        let bytes = content.encode().ok()?;
        document.objects.insert(id, Object::Stream(Stream::new(dictionary, bytes)));
        self.forms.insert(id, Some(cost));
        Some(cost)
    }

    /// Operators executed by a stream: its own and those of the forms that it draws.
    fn cost(&self, content: &Content<Vec<pdf_extract::content::Operation>>, forms: &HashMap<Vec<u8>, usize>) -> usize {
        let drawn = content.operations.iter().filter(|operation| operation.operator == "Do");
        let names = drawn.filter_map(|operation| operation.operands.first()?.as_name().ok());
        names.filter_map(|name| forms.get(name)).fold(content.operations.len(), |sum, cost| sum.saturating_add(*cost))
    }
}

/// The unpacked content of a page, or `None` if it is too large.
fn page_content(document: &Document, id: ObjectId) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    for part in document.get_page_contents(id) {
        let Ok(stream) = document.get_object(part).and_then(Object::as_stream) else { continue };
        let room = MAX_CONTENT_BYTES.checked_sub(content.len())?;
        content.extend(decoded(stream, room)?);
        content.push(b'\n');
    }
    Some(content)
}

/// An attribute of a page or of the nodes above it.
fn inherited(document: &Document, page: ObjectId, key: &[u8]) -> Option<Object> {
    let mut node = document.get_dictionary(page).ok()?;
    for _ in 0..MAX_TREE_DEPTH {
        if let Ok(value) = node.get_deref(key, document) {
            return Some(value.clone());
        }
        node = document.get_dictionary(node.get(b"Parent").and_then(Object::as_reference).ok()?).ok()?;
    }
    None
}

/// Four numbers, references resolved.
fn rectangle(document: &Document, object: &Object) -> Option<Object> {
    let sides =
        object.as_array().ok()?.iter().map(|side| document.dereference(side).ok().map(|(_, side)| side.clone()));
    let sides: Vec<Object> = sides.collect::<Option<_>>()?;
    let numbers = sides.len() == 4 && sides.iter().all(|side| matches!(side, Object::Integer(_) | Object::Real(_)));
    numbers.then_some(Object::Array(sides))
}

fn letter_page() -> Object {
    Object::Array(vec![0.into(), 0.into(), 612.into(), 792.into()])
}

fn font_names(document: &Document, resources: &Dictionary) -> HashSet<Vec<u8>> {
    let fonts = resources.get_deref(b"Font", document).and_then(Object::as_dict);
    let usable = |name: &[u8], fonts: &Dictionary| fonts.get_deref(name, document).and_then(Object::as_dict).is_ok();
    fonts.map_or_else(
        |_| HashSet::new(),
        |fonts| fonts.iter().filter(|(name, _)| usable(name, fonts)).map(|(name, _)| name.clone()).collect(),
    )
}

/// Unpacked content of one page or form. A dense page of text has 100 kB, a map some megabytes.
const MAX_CONTENT_BYTES: usize = 32 << 20;

/// Operators executed for one page, forms included: stops forms that draw each other many times.
const MAX_OPERATORS: usize = 2_000_000;

/// Forms inside forms. Drawing programs nest three or four deep.
const MAX_FORM_DEPTH: usize = 12;

/// XObjects of one resource dictionary that are looked at.
const MAX_XOBJECTS: usize = 4096;

/// Depth of the page tree, as in the parser.
const MAX_TREE_DEPTH: usize = 64;
