//! Text of no meaning that a tokenizer cuts as it cuts English, and what else is made from a seed.

/// A sentence has so many words at least, and fewer than twice as many.
const SENTENCE: usize = 7;

/// Every so many words there is a name of a program's, as in texts about code.
const NAMES: usize = 11;

const WORDS: &str = "the a this each some any no every of in on with from into about after before between \
    under over through against without during file folder path line text word name value list table field index entry \
    record message answer question request result error warning note reason change branch commit merge history version \
    release module function method argument option default setting variable constant pattern string number letter \
    boundary margin column header footer section chapter summary outline report review comment document example sample \
    case test check measure figure limit budget window buffer queue worker task process thread signal timer clock \
    schedule session project workspace directory terminal shell command script output input stream channel network \
    address port server client browser page form button menu screen image color shape garden river mountain weather \
    winter summer morning evening market kitchen window door table paper letter station journey harbour island forest \
    is are was has may must should can will does keeps makes takes gives shows finds reads writes moves opens closes \
    begins ends returns follows explains describes contains replaces removes prevents allows requires expects prefers \
    avoids ignores repeats collects compares separates combines announces remembers small large short long early late \
    quick slow careful plain simple complete partial separate common rare useful empty full narrow wide recent ancient \
    quiet careless reliable temporary permanent external internal optional relevant obvious precise approximate often \
    never always only also again together instead otherwise therefore however carefully usually exactly nearly rather";

/// A source of text that gives the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Prose {
    state: u64,
    words: Vec<&'static str>,
}

impl Prose {
    pub(super) fn new(seed: u64) -> Self {
        Prose { state: seed, words: WORDS.split_whitespace().collect() }
    }

    /// The next number of splitmix64.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % (limit.max(1) as u64)).unwrap_or(0)
    }

    fn word(&mut self) -> &'static str {
        let index = self.below(self.words.len());
        self.words.get(index).copied().unwrap_or("word")
    }

    /// Sentences in paragraphs, together of about so many bytes.
    pub(super) fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 16);
        let (mut left, mut sentences) = (0, 0);
        while text.len() < bytes {
            let word = match self.below(NAMES) {
                0 => format!("`{}_{}{}`", self.word(), self.word(), self.below(100)),
                _ => self.word().to_owned(),
            };
            if left == 0 {
                left = SENTENCE + self.below(SENTENCE);
                sentences += 1;
                text.push_str(match (text.is_empty(), sentences % 5) {
                    (true, _) => "",
                    (false, 0) => ".\n\n",
                    (false, 1) => ".\n- ",
                    (false, _) => ". ",
                });
                let mut letters = word.chars();
                text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                text.push_str(letters.as_str());
            } else {
                text.push_str(if self.below(9) == 0 { ", " } else { " " });
                text.push_str(&word);
            }
            left -= 1;
        }
        text.push('.');
        text
    }

    /// So many hexadecimal digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        (0..digits).filter_map(|_| char::from_digit(u32::try_from(self.below(16)).unwrap_or(0), 16)).collect()
    }

    /// A random UUID.
    pub(super) fn uuid(&mut self) -> String {
        format!("{}-{}-4{}-a{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_text_of_the_length_asked_for() {
        let text = Prose::new(7).text(1000);
        assert_eq!(text, Prose::new(7).text(1000));
        assert_ne!(text, Prose::new(8).text(1000));
        assert!((1000..1060).contains(&text.len()), "{}", text.len());
        assert_eq!(Prose::new(7).uuid().len(), 36);
    }
}
