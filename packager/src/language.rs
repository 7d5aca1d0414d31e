//! Languages as players know them: tags of RFC 5646, which wants the shortest code there is (4.5: `de`, never `deu` or `ger`).
//! MP4 and Matroska know the three letters of ISO 639-2 alone, and Matroska even the other three that libraries use.

/// Three letters and the two that stand for the same language, of ISO 639-2 (both of its codes) and ISO 639-1.
const SHORTER: &str = "\
    aaraa abkab afraf akaak albsq amham araar argan armhy asmas avaav aveae aymay azeaz bakba bambm baqeu belbe \
    benbn bihbh bisbi bodbo bosbs brebr bulbg burmy catca cescs chach chece chizh chucu chvcv corkw cosco crecr \
    cymcy czecs danda deude divdv dutnl dzodz ellel engen epoeo estet euseu eweee faofo fasfa fijfj finfi frafr \
    frefr fryfy fulff geoka gerde glagd glega glggl glvgv greel grngn gujgu hatht hauha hebhe herhz hinhi hmoho \
    hrvhr hunhu hyehy iboig iceis idoio iiiii ikuiu ileie inaia indid ipkik islis itait javjv jpnja kalkl kankn \
    kasks katka kaukr kazkk khmkm kikki kinrw kirky komkv konkg korko kuakj kurku laolo latla lavlv limli linln \
    litlt ltzlb lublu luglg macmk mahmh malml maomi marmr mayms mkdmk mlgmg mltmt monmn mrimi msams myamy nauna \
    navnv nblnr ndend ndong nepne nldnl nnonn nobnb norno nyany ocioc ojioj orior ormom ossos panpa perfa plipi \
    polpl porpt pusps quequ rohrm ronro rumro runrn rusru sagsg sansa sinsi slksk slosk slvsl smese smosm snasn \
    sndsd somso sotst spaes sqisq srdsc srpsr sswss sunsu swasw swesv tahty tamta tattt telte tgktg tgltl thath \
    tibbo tirti tonto tsntn tsots tuktk turtr twitw uigug ukruk urdur uzbuz venve vievi volvo welcy wlnwa wolwo \
    xhoxh yidyi yoryo zhaza zhozh zulzu";

const UNDETERMINED: &str = "und";

/// The tag of a language that a stranger's file names, in its shortest form, or `None` when it is no tag.
#[must_use]
pub fn language_tag(text: &str) -> Option<String> {
    let (language, rest) = text.split_at(text.find('-').unwrap_or(text.len()));
    let is_language = (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_language || text.len() > 35 || !rest.split('-').skip(1).all(is_part) {
        return None;
    }
    let language = language.to_ascii_lowercase();
    Some(format!("{}{rest}", shortest(&language)))
}

/// As `language_tag`; what is no tag is undetermined.
pub(crate) fn language(text: Option<&str>) -> String {
    text.and_then(language_tag).unwrap_or_else(|| UNDETERMINED.to_owned())
}

fn shortest(language: &str) -> &str {
    let mut pairs = SHORTER.split_ascii_whitespace().filter_map(|word| word.split_at_checked(3));
    pairs.find(|(long, _)| *long == language).map_or(language, |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_as_short_as_it_can_be() {
        for (given, tag) in [
            ("ger", "de"),
            ("deu", "de"),
            ("DEU", "de"),
            ("de", "de"),
            ("eng", "en"),
            ("chi", "zh"),
            ("zho-Hant-TW", "zh-Hant-TW"),
            ("pt-BR", "pt-BR"),
            ("gsw", "gsw"),
            ("und", "und"),
            ("zul", "zu"),
            ("aar", "aa"),
        ] {
            assert_eq!(language_tag(given).as_deref(), Some(tag), "{given}");
        }
    }

    #[test]
    fn what_is_no_language_tag_is_undetermined() {
        for strange in [
            "",
            "e",
            "e\"",
            "en_US",
            "en us",
            "en-",
            "en--US",
            "-en",
            "e1",
            "\u{e9}n",
            "../x",
            "en-waytoolong",
            &"a".repeat(36),
        ] {
            assert_eq!(language(Some(strange)), "und", "{strange}");
        }
        assert_eq!(language(None), "und");
    }

    #[test]
    fn each_code_has_one_shorter_one() {
        let words: Vec<&str> = SHORTER.split_ascii_whitespace().collect();
        assert!(words.iter().all(|word| word.len() == 5 && word.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert!(words.windows(2).all(|pair| pair[0][..3] < pair[1][..3]), "sorted, and none twice");
    }
}
