//! Laws that hold for all BTF.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use skep_btf::{Btf, BtfBuilder, BtfExt, CoreRelo, Endian, FuncInfo, Kind, LineInfo, TypeDef, testing};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn written_btf_reads_the_same(btf in testing::btf(40)) {
        let bytes = btf.to_bytes();
        let again = Btf::parse(&bytes).unwrap();
        prop_assert_eq!(again.validate(), Ok(()));
        prop_assert_eq!(again.endian(), btf.endian());
        prop_assert_eq!(again.to_bytes(), bytes);
        prop_assert_eq!(again.raw().to_string(), btf.raw().to_string());
    }

    #[test]
    fn definitions_come_back(defs in testing::defs(40)) {
        let btf = testing::build(&defs, Endian::Big).unwrap();
        let back: Vec<TypeDef> = btf.types().map(|ty| ty.to_def().unwrap()).collect();
        prop_assert_eq!(back, defs);
    }

    #[test]
    fn replacing_is_like_building(defs in testing::defs(20), others in testing::defs(20)) {
        // Replacing every type by void pointers and then by the real ones, backwards, makes the same BTF.
        let mut builder = BtfBuilder::new(Endian::Little);
        for _ in &defs {
            builder.add(&TypeDef::Ptr { target: 0 }).unwrap();
        }
        for (index, def) in defs.iter().enumerate().rev() {
            let id = index as u32 + 1;
            builder.replace(id, &others[index % others.len()]).unwrap();
            builder.replace(id, def).unwrap();
        }
        let btf = builder.finish().unwrap();
        let back: Vec<TypeDef> = btf.types().map(|ty| ty.to_def().unwrap()).collect();
        prop_assert_eq!(back, defs);
    }

    #[test]
    fn both_byte_orders_hold_the_same(defs in testing::defs(40)) {
        let [little, big] = [Endian::Little, Endian::Big].map(|endian| {
            Btf::parse(&testing::build(&defs, endian).unwrap().to_bytes()).unwrap()
        });
        prop_assert_eq!(little.raw().to_string(), big.raw().to_string());
        prop_assert_eq!(little.json().to_string(), big.json().to_string());
    }

    #[test]
    fn split_btf_continues_its_base(base in testing::defs(20), defs in testing::defs(20)) {
        let base = Arc::new(testing::build(&base, Endian::Little).unwrap());
        let mut builder = BtfBuilder::split(&base);
        let first = builder.next_id();
        let names: Vec<u32> = defs.iter().map(|def| builder.add_str(def.name()).unwrap()).collect();
        builder.add(&TypeDef::Const { target: 1 }).unwrap();
        builder.add(&TypeDef::Ptr { target: first }).unwrap();
        let split = builder.finish().unwrap();
        let again = Btf::parse_split(&split.to_bytes(), &base).unwrap();
        prop_assert_eq!(again.to_bytes(), split.to_bytes());
        prop_assert_eq!(again.own_ids(), base.last_id() + 1..base.last_id() + 3);
        prop_assert_eq!(again.get(1).unwrap().to_def(), base.get(1).unwrap().to_def());
        prop_assert_eq!(again.types().count() as u32, again.last_id());
        for (offset, def) in names.into_iter().zip(&defs) {
            prop_assert_eq!(again.str(offset), Some(def.name()));
        }
        for ty in base.types().filter(|ty| ty.name_off() != 0) {
            prop_assert!(again.by_name(ty.name()).any(|found| found.id() == ty.id()));
        }
    }

    #[test]
    fn damaged_btf_never_panics(
        btf in testing::btf(12),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = btf.to_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        testing::exercise_btf(&bytes);
    }

    #[test]
    fn written_ext_reads_the_same(
        functions in proptest::collection::vec(any::<(u32, u32)>(), 0..5),
        lines in proptest::collection::vec(any::<(u32, u32, u32, u32)>(), 0..5),
        big in any::<bool>(),
        end in any::<prop::sample::Index>(),
    ) {
        let mut ext = BtfExt::new(if big { Endian::Big } else { Endian::Little });
        let functions: Vec<FuncInfo> =
            functions.into_iter().map(|(insn_off, type_id)| FuncInfo { insn_off, type_id }).collect();
        let relos: Vec<CoreRelo> = lines
            .iter()
            .map(|&(insn_off, type_id, access_str_off, kind)| CoreRelo { insn_off, type_id, access_str_off, kind })
            .collect();
        let lines: Vec<LineInfo> = lines
            .into_iter()
            .map(|(insn_off, file_name_off, line_off, line_col)| LineInfo { insn_off, file_name_off, line_off, line_col })
            .collect();
        ext.func_info_mut().push_section(1, &functions);
        ext.line_info_mut().push_section(1, &lines);
        ext.line_info_mut().push_section(5, &lines);
        ext.core_relo_mut().push_section(5, &relos);
        let bytes = ext.to_bytes();
        let again = BtfExt::parse(&bytes).unwrap();
        prop_assert_eq!(&again, &ext);
        let read: Vec<FuncInfo> = again.func_info().sections().iter().flat_map(skep_btf::ExtSection::records).collect();
        prop_assert_eq!(read, functions);
        let read: Vec<LineInfo> = again.line_info().sections().iter().flat_map(skep_btf::ExtSection::records).collect();
        prop_assert_eq!(read, [lines.clone(), lines].concat());
        let cut = &bytes[..end.index(bytes.len())];
        testing::exercise_btf_ext(cut);
        testing::exercise_btf_ext(&bytes);
    }
}

#[test]
fn truncated_at_every_byte() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let btf = testing::btf(200).new_tree(&mut runner).unwrap().current();
    let bytes = btf.to_bytes();
    for end in 0..bytes.len() {
        assert!(Btf::parse(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn every_kind_is_generated() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..20 {
        kinds.extend(testing::defs(60).new_tree(&mut runner).unwrap().current().iter().map(TypeDef::kind));
    }
    assert_eq!(kinds, BTreeSet::from(Kind::ALL));
}
