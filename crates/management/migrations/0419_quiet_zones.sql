-- Quiet hours are minutes of the day as the clocks of a zone show them, by its IANA name: they stay where they are when clocks are set.
-- Those that were set up before are as they were: in UTC.

ALTER TABLE alert_rules ADD COLUMN quiet_zone text NOT NULL DEFAULT 'UTC' CHECK (char_length(quiet_zone) BETWEEN 1 AND 100);
