//! The items of a list, found in its JSON as it comes.

use super::Clip;

/// The longest key of a list that matters.
const KEY: usize = 16;

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The value of `metadata`.
    Metadata,
    /// One of `items`.
    Item,
}

/// Why a text is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no list of objects")]
pub(crate) struct NoList;

/// Finds the parts of a list. It looks at brackets and strings only: what is in a part is for others
/// to read.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// How many brackets are open.
    depth: usize,
    in_string: bool,
    /// The next octet of the string means nothing by itself.
    is_escaped: bool,
    /// The newest key of the list.
    key: Vec<u8>,
    /// Its value has begun.
    in_value: bool,
    /// The part that has begun, as far as it has come.
    part: Option<Part>,
    clip: Clip,
    is_complete: bool,
}

impl Splitter {
    /// Takes in what comes next, and hands out each part that is complete with it.
    ///
    /// # Errors
    /// It is no list.
    pub(crate) fn feed(
        &mut self,
        octets: &[u8],
        take: &mut impl FnMut(Part, &Clip),
    ) -> Result<(), NoList> {
        // Where the part begins in these octets.
        let mut start = 0;
        for (at, octet) in octets.iter().enumerate() {
            if self.in_string {
                self.string(*octet);
                continue;
            }
            match octet {
                b'"' => self.begin_string()?,
                b'{' | b'[' if self.open(*octet)? => start = at,
                b'}' | b']' => {
                    if let Some(part) = self.close()? {
                        self.clip.push(octets.get(start..=at).unwrap_or_default());
                        take(part, &self.clip);
                        self.clip.clear();
                    }
                }
                b':' if self.depth == 1 => self.in_value = true,
                b',' if self.depth == 1 => self.in_value = false,
                b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n' => {}
                b',' if self.depth > 0 => {}
                _ if self.depth == 0 || self.is_among_items() => return Err(NoList),
                _ => {}
            }
        }
        if self.part.is_some() {
            self.clip.push(octets.get(start..).unwrap_or_default());
        }
        Ok(())
    }

    /// The list has ended.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn string(&mut self, octet: u8) {
        match octet {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.in_string = false,
            _ if self.depth == 1 && !self.in_value && self.key.len() < KEY => self.key.push(octet),
            _ => {}
        }
    }

    fn begin_string(&mut self) -> Result<(), NoList> {
        if self.depth == 0 || self.is_among_items() {
            return Err(NoList);
        }
        if self.depth == 1 && !self.in_value {
            self.key.clear();
        }
        self.in_string = true;
        Ok(())
    }

    /// Whether the next object would be an item.
    fn is_among_items(&self) -> bool {
        self.depth == 2 && self.of_list() == Some(Part::Item)
    }

    /// What the value of the newest key has to do with.
    fn of_list(&self) -> Option<Part> {
        match self.key.as_slice() {
            b"metadata" if self.in_value => Some(Part::Metadata),
            b"items" if self.in_value => Some(Part::Item),
            _ => None,
        }
    }

    /// Takes in a bracket that opens. Returns whether a part begins with it.
    fn open(&mut self, bracket: u8) -> Result<bool, NoList> {
        let is_object = bracket == b'{';
        let begins = match (self.depth, self.of_list()) {
            (0, _) if !is_object || self.is_complete => return Err(NoList),
            (1, Some(Part::Item)) if is_object => return Err(NoList),
            (1, Some(Part::Metadata)) | (2, Some(Part::Item)) if !is_object => return Err(NoList),
            (1, Some(Part::Metadata)) => Some(Part::Metadata),
            (2, Some(Part::Item)) => Some(Part::Item),
            _ => None,
        };
        self.depth += 1;
        self.part = self.part.or(begins);
        Ok(begins.is_some())
    }

    /// Takes in a bracket that closes. Returns the part that ends with it.
    fn close(&mut self) -> Result<Option<Part>, NoList> {
        self.depth = self.depth.checked_sub(1).ok_or(NoList)?;
        self.is_complete |= self.depth == 0;
        let ends = match self.part {
            Some(Part::Metadata) => self.depth == 1,
            Some(Part::Item) => self.depth == 2,
            None => false,
        };
        Ok(if ends { self.part.take() } else { None })
    }
}
