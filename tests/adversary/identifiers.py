# ruff: noqa: E501 - one kind a line
"""Sixty-odd texts that identify a person, a place, a day or a device, as people really write them."""

import re

_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|1\.2\.826\.0\.1\.3680043\.8\.498\.[0-9]{20,}")


def without_ids(content: bytes) -> bytes:
    """Return a bundle or a DICOM file without its UUIDs and UIDs: their digits are of chance, and a year is four of them."""
    return _ID.sub(b"", content)


IDENTIFIERS = (
    # names
    "Erika Mustermann", "mustermann", "J. Smith", "Zhang Wei", "王小明", "欧阳娜娜", "張偉", "Dr. Müller-Lüdenscheidt", "m u s t e r", "ＺＨＡＮＧ",
    "Wei.Zhang", "left_mustermann", "O'Brien", "小王", "Siobhán", "МАРИЯ",
    # telephone numbers
    "030 1234 567", "138 0013 8000", "+86-138-0013-8000", "１３８００１３８０００", "(0151) 23 45 67", "010.6552.9988", "tel 82345 67", "12345 6",
    # record, insurance and identity numbers
    "4711 0815", "patient 12345", "subject no 1234", "participant code 4711", "MRN-00815", "110105194912310021", "11010519491231002X",
    "11010519491231002x", "E12345678", "A123456789", "T22000129X", "住院号 123456", "id: 4 7 1 1 0 8", "PatID4711", "person/4711", "subject_no_1234",
    # days
    "1964-08-12", "12.08.1964", "12/08/64", "１９６４年８月１２日", "1964_08_12", "12. Aug 1964", "Aug 12, 1964", "一九六四年八月十二日", "农历正月初五", "甲辰年",
    "民国53年", "12-08", "8月12日", "19640812", "born 64", "Aux 1964", "EEG 1964",
    # places
    "Hauptstraße 12", "北京市海淀区中关村大街1号", "52.5200 13.4050", "39°54'N 116°23'E", "52.52,13.40", "D-10115",
    # addresses
    "erika@example.org", "wxid_abc123", "微信 xiaoming88", "192.168.0.17", "00:1A:2B:3C:4D:5E", "http://host/x",
    # devices, machines, files
    "SN-99887766", "UN-2021.05.36", r"C:\Users\Erika\eeg.edf", "/home/mustermann/p4711.edf", "DESKTOP-7QK2", "CGX-Q20-0147",
)  # fmt: skip

HARMLESS = (
    "cue/left", "trial 12", "block 3 trial 12", "S 12", "tone 1000", "stimulus/flicker 8", "T1", "33025", "mi,2,0,4", "BAD_lost", "left_hand",
    "right hand", "feet", "rest", "Stimulus/S  1", "target", "eyes closed", "phase/feedback", "p300,s,4,1,2", "12", "level 3", "A", "row 3",
    "key/space", "trial/start", "unity/mi",
)  # fmt: skip

ELECTRODES = (
    "C3", "Cz", "FCz", "Fp1", "AF7", "TP10", "PO8", "CPP3h", "EEG Fpz-Cz", "Fc5.", "A1", "VEOG", "EXG Channel 0", "EMG1", "O1-M2", "Status", "TP9",
    "Right AUX", "Trig1", "F3-C3", "T7", "I1", "Acc X",
)  # fmt: skip
