//! A radix tree over tokens: which entries share which beginnings.
//!
//! Nodes live in one vector and name each other by number. A node that is no entry has at least two children, so
//! that below every node there is an entry; the roots alone may be empty.

use std::collections::BTreeMap;

use super::index::Slot;

/// The number of a node.
pub(super) type NodeId = u32;

/// Trees that share one store of nodes.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// The tokens on all edges.
    tokens: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// The tokens between the parent and here. Empty at a root only.
    edge: Vec<u32>,
    parent: Option<NodeId>,
    /// By the first token of their edges.
    children: BTreeMap<u32, NodeId>,
    /// The entry that ends here.
    entry: Option<Slot>,
}

/// How far a sequence of tokens goes down a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Tokens that are in the tree.
    pub(super) common: usize,
    /// The entry that is a beginning of the sequence, the longest such, and its length.
    pub(super) shorter: Option<(Slot, usize)>,
    /// The last node on the way, or the one in whose edge the way ended.
    pub(super) below: NodeId,
}

impl Tree {
    /// A new, empty tree.
    pub(super) fn root(&mut self) -> NodeId {
        self.add(Node::default())
    }

    /// The tokens on all edges.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Whether nothing is in the tree with this root.
    pub(super) fn is_empty(&self, root: NodeId) -> bool {
        self.get(root).is_none_or(|node| node.children.is_empty() && node.entry.is_none())
    }

    /// Gives back an empty tree.
    pub(super) fn drop_root(&mut self, root: NodeId) {
        self.release(root);
    }

    /// Follows `tokens` from a root.
    pub(super) fn walk(&self, root: NodeId, tokens: &[u32]) -> Walk {
        let mut walk = Walk { common: 0, shorter: None, below: root };
        let mut at = root;
        while let Some(node) = self.get(at) {
            if let Some(slot) = node.entry {
                walk.shorter = Some((slot, walk.common));
            }
            let Some(rest) = tokens.get(walk.common..).filter(|rest| !rest.is_empty()) else { break };
            let Some(&child) = rest.first().and_then(|first| node.children.get(first)) else { break };
            let Some(edge) = self.get(child).map(|child| &child.edge) else { break };
            let same = shared(edge, rest);
            walk.common += same;
            walk.below = child;
            if same < edge.len() {
                break;
            }
            at = child;
        }
        walk
    }

    /// An entry at a node or below it, the nearest by nodes. There is none in an empty tree only.
    pub(super) fn entry_below(&self, from: NodeId) -> Option<Slot> {
        let mut at = from;
        loop {
            let node = self.get(at)?;
            if node.entry.is_some() {
                return node.entry;
            }
            // Any child will do.
            at = *node.children.first_key_value()?.1;
        }
    }

    /// The entries that end on the way to a node, without its own, the nearest first.
    pub(super) fn entries_above(&self, node: NodeId) -> Vec<Slot> {
        let mut entries = Vec::new();
        let mut at = self.get(node).and_then(|node| node.parent);
        while let Some(node) = at.and_then(|at| self.get(at)) {
            entries.extend(node.entry);
            at = node.parent;
        }
        entries
    }

    /// The tokens from the root to the end of a node.
    pub(super) fn path(&self, node: NodeId) -> Vec<u32> {
        let mut edges = Vec::new();
        let mut at = Some(node);
        while let Some(node) = at.and_then(|at| self.get(at)) {
            edges.push(node.edge.as_slice());
            at = node.parent;
        }
        edges.reverse();
        edges.concat()
    }

    /// The node where `tokens` end, made if need be, with its entry set.
    pub(super) fn insert(&mut self, root: NodeId, tokens: &[u32], slot: Slot) -> NodeId {
        let Walk { common, below, .. } = self.walk(root, tokens);
        let end = self.depth(below);
        let branch = if common < end { self.split(below, end - common) } else { below };
        let rest = tokens.get(common..).unwrap_or_default();
        let node = if rest.is_empty() { branch } else { self.grow(branch, rest) };
        if let Some(node) = self.get_mut(node) {
            node.entry = Some(slot);
        }
        node
    }

    /// Takes the entry away from a node, and every node that is no longer needed.
    pub(super) fn remove(&mut self, node: NodeId) {
        if let Some(node) = self.get_mut(node) {
            node.entry = None;
        }
        let mut at = node;
        while let Some(parent) = self.get(at).and_then(|node| node.parent) {
            let Some(node) = self.get(at) else { return };
            match (node.entry, node.children.len()) {
                (None, 0) => {
                    self.detach(parent, at);
                    at = parent;
                }
                (None, 1) => {
                    self.join(at);
                    return;
                }
                _ => return,
            }
        }
    }

    /// Tokens from the root to the end of a node's edge.
    fn depth(&self, node: NodeId) -> usize {
        let mut depth = 0;
        let mut at = Some(node);
        while let Some(node) = at.and_then(|at| self.get(at)) {
            depth += node.edge.len();
            at = node.parent;
        }
        depth
    }

    /// Cuts a node's edge so that its last `keep` tokens stay with it; gives the new node above.
    fn split(&mut self, node: NodeId, keep: usize) -> NodeId {
        let Some(lower) = self.get_mut(node) else { return node };
        let parent = lower.parent;
        let cut = lower.edge.len().saturating_sub(keep);
        let tail = lower.edge.split_off(cut);
        let head = std::mem::replace(&mut lower.edge, tail);
        lower.edge.shrink_to_fit();
        let (first, lower_first) = (head.first().copied(), lower.edge.first().copied());
        let upper = self.add(Node { edge: head, parent, ..Node::default() });
        if let Some(lower) = self.get_mut(node) {
            lower.parent = Some(upper);
        }
        if let (Some(upper), Some(token)) = (self.get_mut(upper), lower_first) {
            upper.children.insert(token, node);
        }
        if let (Some(parent), Some(token)) = (parent.and_then(|parent| self.get_mut(parent)), first) {
            parent.children.insert(token, upper);
        }
        upper
    }

    /// A new child with these tokens.
    fn grow(&mut self, parent: NodeId, tokens: &[u32]) -> NodeId {
        let child = self.add(Node { edge: tokens.to_vec(), parent: Some(parent), ..Node::default() });
        self.tokens += tokens.len();
        if let (Some(parent), Some(&first)) = (self.get_mut(parent), tokens.first()) {
            parent.children.insert(first, child);
        }
        child
    }

    /// Takes a node without children out.
    fn detach(&mut self, parent: NodeId, node: NodeId) {
        let Some(first) = self.get(node).and_then(|node| node.edge.first().copied()) else { return };
        if let Some(parent) = self.get_mut(parent) {
            parent.children.remove(&first);
        }
        self.tokens -= self.get(node).map_or(0, |node| node.edge.len());
        self.release(node);
    }

    /// Joins a node with its only child, which takes its place.
    fn join(&mut self, node: NodeId) {
        let Some((parent, child)) =
            self.get(node).and_then(|node| Some((node.parent, *node.children.values().next()?)))
        else {
            return;
        };
        let mut edge = self.get_mut(node).map(|node| std::mem::take(&mut node.edge)).unwrap_or_default();
        let first = edge.first().copied();
        if let Some(child) = self.get_mut(child) {
            edge.append(&mut child.edge);
            child.edge = edge;
            child.parent = parent;
        }
        if let (Some(parent), Some(first)) = (parent.and_then(|parent| self.get_mut(parent)), first) {
            parent.children.insert(first, child);
        }
        self.release(node);
    }

    fn add(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = node;
            }
            return id;
        }
        self.nodes.push(node);
        // There are at most two nodes for each of the bounded number of entries.
        NodeId::try_from(self.nodes.len() - 1).unwrap_or(NodeId::MAX)
    }

    fn release(&mut self, node: NodeId) {
        if let Some(place) = self.get_mut(node) {
            *place = Node::default();
            self.free.push(node);
        }
    }

    fn get(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node as usize)
    }

    fn get_mut(&mut self, node: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(node as usize)
    }
}

/// How many tokens two sequences share at their beginning. By blocks, which the compiler compares as one.
fn shared(left: &[u32], right: &[u32]) -> usize {
    const BLOCK: usize = 64;
    let blocks = left.chunks_exact(BLOCK).zip(right.chunks_exact(BLOCK)).take_while(|(left, right)| left == right);
    let same = blocks.count() * BLOCK;
    let rest = left.iter().skip(same).zip(right.iter().skip(same));
    same + rest.take_while(|(left, right)| left == right).count()
}
