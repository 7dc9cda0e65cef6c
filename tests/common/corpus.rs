//! Texts of many scripts, each with what makes it hard.

/// A text and what it is called.
pub struct Sample {
    pub name: &'static str,
    pub text: String,
}

/// All samples; each ends with a line feed.
pub fn samples() -> Vec<Sample> {
    let sample = |name, text: &str| Sample {
        name,
        text: format!("{text}\n"),
    };
    let range = |from: char, to: char| (from..=to).collect::<String>();
    vec![
        sample("ASCII", &range(' ', '~').repeat(4)),
        sample(
            "Latin",
            &format!(
                "{} Þórður úr Ísafirði, Łódź, naïve façade, Ångström, Dvořák, İstanbul, Việt Nam ngữ",
                range('\u{a0}', '\u{17f}')
            ),
        ),
        sample(
            "Greek",
            "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ ς ΐ ΰ ᾳ ἄνθρωπος",
        ),
        sample(
            "Cyrillic",
            "Съешь же ещё этих мягких французских булок, да выпей чаю. Їжак, ґанок, Љубав, ЂЋЏ, Ӣ",
        ),
        sample(
            "Arabic",
            "نص حكيم له سر قاطع وذو شأن عظيم؛ ١٢٣٤٥٦٧٨٩٠ پچژگ مُحَمَّد",
        ),
        sample(
            "Hebrew",
            "דג סקרן שט בים מאוכזב ולפתע מצא חברה: שָׁלוֹם ״ציטוט״",
        ),
        sample(
            "Devanagari",
            "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण। १२३४ क्ष ज्ञ हिन्दी",
        ),
        sample("Thai", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์ น้ำ ๑๒๓"),
        sample(
            "CJK",
            "いろはにほへと ちりぬるを、漢字カタカナ。天地玄黄宇宙洪荒 키스의 고유조건은 𠮷野家",
        ),
        sample("emoji", "😀 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇮🇸🇯🇵 ☕️ ❤️‍🔥 1️⃣ done 🎉"),
        sample(
            "combining marks",
            "e\u{301}a\u{308}\u{323}o\u{302}\u{301} Z\u{361}a n\u{303} \u{200f}x\u{200e}",
        ),
        sample(
            "source code",
            "fn main() {\n\tlet x: Vec<&str> = \"a|b\\\\c\".split('|').collect();\n\tif x[0] != `b` && !x.is_empty() { println!(\"{:>8.3}%\", 1e-3_f64); } // TODO: 50 %\n}",
        ),
        sample(
            "shell lines",
            "find . -name '*.rs' -print0 | xargs -0 sed -i.bak \"s/$OLD/${NEW:-x}/g\"; echo $? >&2\n! [[ -f ~/x ]] && { true || false; } # $(date +%F) \\\ncat <<'EOF' >/dev/null",
        ),
        sample("tabs and newlines", "a\tb\t\tc\n\n\n\td\n \t \n"),
        sample(
            "punctuation",
            "“quoted” ‘single’ – — … • ½ ¼ × ÷ ± € £ ¥ ₹ © ® ™ † ‡ § ¶ ≤ ≥ ≠ ∞ √ ∑ → ← ↑ ↓ ☐ ☑",
        ),
    ]
}

/// More distinct characters than there are places on spare keycodes.
pub fn many_distinct() -> String {
    ('\u{4e00}'..='\u{4fff}')
        .chain('\u{ac00}'..='\u{ac80}')
        .collect()
}
