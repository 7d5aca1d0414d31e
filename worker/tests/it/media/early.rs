//! Proof that begins while a rung is being made: its excerpts hold the very packets of the rung, and what was not decoded
//! among them is decoded at the end.

use std::{
    collections::HashSet,
    fs,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use reelgate_worker::{
    plan::LadderPolicy,
    task::protocol::{Event, Request, excerpt_file},
};

use super::{
    child::{Said, make_by, run, run_beside},
    measure::{clip, ffprobe},
};

/// Excerpts end at 12 s; what follows is left to the end.
const FILM: [&str; 4] = ["-f", "lavfi", "-i", "testsrc2=size=854x480:rate=10:duration=20"];
const RUNGS: [&str; 2] = ["480p", "360p"];

fn made(folder: &Path) -> Said {
    let source = clip(folder, "a.mkv", &[&FILM[..], &["-c:v", "mpeg4"]].concat());
    make_by(LadderPolicy::default(), &source).2
}

/// What of each file is proven by decoding it.
fn proven(files: &[PathBuf]) -> Vec<Vec<String>> {
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
    let said = run_beside(&Request::Look { excerpts: names.collect() }, Path::new("/dev/null"), &paths);
    let looked = said.events.into_iter().filter_map(|event| match event {
        Event::Looked { proven, .. } => Some(proven),
        _ => None,
    });
    looked.collect()
}

fn verifies(path: &Path, proven: &[String]) -> bool {
    run(&Request::Verify { whole: false, threads: 1, proven: proven.to_vec() }, path).failure().is_none()
}

/// Where packets of video lie, their times, and whether each is a key frame.
fn packets(path: &Path) -> Vec<(u64, f64, bool)> {
    let json = ffprobe(path, &["-select_streams", "v:0", "-show_entries", "packet=pts_time,pos,flags"]);
    let packets = json["packets"].as_array().unwrap().iter().map(|packet| {
        let text = |key: &str| packet[key].as_str().unwrap();
        (text("pos").parse().unwrap(), text("pts_time").parse().unwrap(), text("flags").starts_with('K'))
    });
    packets.collect()
}

/// A copy in which one packet cannot be read.
fn damaged(path: &Path, at: u64) -> PathBuf {
    let copy = path.with_extension("damaged.mp4");
    fs::copy(path, &copy).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(&copy).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0xff; 12]).unwrap();
    copy
}

#[test]
fn rungs_are_looked_at_while_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let said = made(folder.path());
    for rung in RUNGS {
        let told = |wanted: &dyn Fn(&Event) -> bool| said.events.iter().position(wanted).unwrap();
        let excerpt = told(&|event| matches!(event, Event::Excerpt { name, number: 0 } if name == rung));
        let output = told(&|event| matches!(event, Event::Output(output) if output.name == rung));
        let far = |event: &Event| matches!(event, Event::Progress { fraction } if *fraction > 0.9);
        assert!(excerpt < output && said.events[excerpt..].iter().any(far), "{rung}: {:?}", said.events);
        let file = said.path(rung);
        let found = proven(&[said.folder.path().join(excerpt_file(rung, 0)), file.clone()]);
        let all: HashSet<&String> = found[1].iter().collect();
        assert!(found[0].iter().all(|digest| all.contains(digest)), "{rung}: other packets than the rung's");
        // The first two seconds, and a key frame every two.
        let until_excerpt_ends = |(_, time, key): &&(u64, f64, bool)| *time < 2.0 || (*key && *time < 10.0);
        assert_eq!(found[0].len(), packets(&file).iter().filter(until_excerpt_ends).count(), "{rung}");
        assert!(verifies(&file, &found[0]), "{rung}");
    }
}

#[test]
fn what_was_looked_at_early_vouches_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let said = made(folder.path());
    let file = said.path("480p");
    let found = proven(&[said.folder.path().join(excerpt_file("480p", 0)), file.clone()]);
    let packets = packets(&file);
    let at = |wanted: &dyn Fn(&(u64, f64, bool)) -> bool| packets.iter().find(|packet| wanted(packet)).unwrap().0;
    for (what, at) in [
        ("the first picture", at(&|_| true)),
        ("a picture of the beginning", at(&|(_, time, key)| *time > 1.0 && !key)),
        ("a key frame of the excerpt", at(&|(_, time, key)| *time >= 6.0 && *key)),
        ("a key frame after it", at(&|(_, time, key)| *time >= 14.0 && *key)),
        ("a picture of the end", at(&|(_, time, key)| *time > 18.5 && !key)),
    ] {
        let damaged = damaged(&file, at);
        assert!(!verifies(&damaged, &[]), "{what} is damaged, and nothing is known");
        assert!(!verifies(&damaged, &found[0]), "{what} is damaged");
        assert!(!verifies(&damaged, &found[1]), "{what} is damaged, and all of the good one is known");
        assert_eq!(proven(&[damaged]).len(), 0, "{what} is damaged in an excerpt");
    }
}
