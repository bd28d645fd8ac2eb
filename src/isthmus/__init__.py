"""Isthmus turns thyroid ultrasound into evidence. Research use only; not a medical device."""
