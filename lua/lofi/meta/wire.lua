---@meta
--- What the daemon answers and tells; doc/PROTOCOL.md has the whole contract.

---@class lofi.Track
---@field id string 64 hex digits; commands and requests take any unique beginning of 6 or more
---@field path string
---@field prompt string
---@field duration_sec number
---@field sample_rate integer
---@field channels integer
---@field seed integer|string a string above 2^53
---@field backend string
---@field model_version string
---@field generation_time_sec number
---@field created_at string ISO 8601, UTC
---@field params table the request with every default filled in
---@field latent_id? string where it can be taken up again; missing once that latent is gone
---@field latent_index? integer its place in that latent's batch, from 0
---@field latent_checkpoint_id? string
---@field checkpoint_step? integer
---@field lm_metadata? table
---@field parent_ids string[]
---@field lufs? number
---@field favorite boolean

--- What `library_changed` tells.
---@class lofi.LibraryChange
---@field changed lofi.Track[] came, or became or ceased to be a favourite
---@field removed string[] ids
---@field reset boolean too much to tell, or not known: ask again

--- What `track_waveform` answers; lists of `columns` numbers, 0–1.
---@class lofi.Waveform
---@field track_id string
---@field columns integer
---@field duration_sec number
---@field peaks number[] relative to the track's highest
---@field levels number[] RMS, relative to the same
---@field tones number[] 0 dark (100 Hz), 1 bright (8 kHz)

--- A job as `queue_status` and `queue_move` tell of it.
---@class lofi.JobView
---@field job_id string
---@field track_id string
---@field prompt string
---@field duration_sec number
---@field backend string
---@field priority "high"|"normal"|"low"
---@field status "queued"|"generating"|"committing"
---@field position integer 0 = it runs
---@field percent integer
---@field eta_sec? number
---@field current_step integer
---@field total_steps integer
---@field stage_index integer
---@field stages integer

---@class lofi.Queue
---@field current? lofi.JobView
---@field pending lofi.JobView[] in the order they will run

--- The end of a generation, as callbacks and listeners of "generation_complete" get it.
---@class lofi.Generated
---@field job_id string
---@field cached boolean it was in the library already
---@field tracks lofi.Track[]
---@field track_id string of the first track, as everything below
---@field path string
---@field prompt string
---@field duration_sec number
---@field sample_rate integer
---@field generation_time_sec number
---@field backend string
---@field model_version string
---@field seed integer|string
---@field latent_id? string
---@field latent_checkpoint_id? string
---@field checkpoint_step? integer
---@field lm_metadata? table

--- A latent or checkpoint as `latent_list`, `latent_get` and `latent_pin` tell of it; doc/PROTOCOL.md, Latents.
---@class lofi.Latent
---@field id string a UUID
---@field path string
---@field shape integer[] batch, frames, channels
---@field dtype string
---@field model_variant string
---@field stage_type string
---@field is_checkpoint boolean
---@field checkpoint_step? integer
---@field total_steps integer
---@field schedule number[] the timesteps, with the 0 at the end
---@field params table the stage that made it
---@field lm_metadata? table
---@field batch_size integer
---@field created_at string ISO 8601, UTC
---@field pinned boolean by hand, or because a favourite points to it
---@field pipeline_id? string
---@field stage_index integer
---@field track_ids string[] of its batch, in order; none where it was not decoded
---@field parent_ids string[] tracks and latents that it came from

---@class lofi.PlayerState
---@field state "stopped"|"playing"|"paused"|"waiting"|"no_device"
---@field volume number 0–1
---@field position_sec number
---@field duration_sec number
---@field track_id? string
---@field device? string the sound device that is open
---@field message? string why there is none
---@field crossfade_sec number
---@field loop "off"|"one"|"all"
---@field shuffle boolean
---@field playlist_length integer
---@field playlist_index? integer from 0

---@alias lofi.PlaybackCallback fun(err: lofi.Error?, result: lofi.PlayerState?)

---@class lofi.Backend
---@field type string
---@field name string
---@field status "ready"|"not_installed"|"downloading"|"loading"|"error"
---@field message? string
---@field min_duration_sec number
---@field max_duration_sec number
---@field sample_rate integer
---@field model_version string
---@field stage_types string[]
---@field models string[]
---@field extra? string what :LofiInstall calls the Python packages that it needs
---@field packages boolean they are there
---@field weights lofi.Weights[]
---@field device? string

--- What a model of a backend is made of; doc/PROTOCOL.md, Weights.
---@class lofi.Weights
---@field model string
---@field repo string
---@field license string
---@field license_url string
---@field bytes? integer
---@field status "absent"|"partial"|"downloading"|"ready"|"error"
---@field bytes_here integer
---@field path? string once it is ready
---@field commit? string
---@field default boolean
---@field message? string what went wrong

--- What `backend_status` tells.
---@class lofi.BackendStatus
---@field backend string
---@field status "ready"|"not_installed"|"downloading"|"loading"|"error"
---@field model string
---@field weights "absent"|"partial"|"downloading"|"ready"|"error" of that model
---@field message? string

---@class lofi.PlaylistEntry
---@field track_id string
---@field prompt string
---@field duration_sec number

---@class lofi.Playlist
---@field tracks lofi.PlaylistEntry[]
---@field index? integer of the current one, from 0
---@field loop "off"|"one"|"all"
---@field shuffle boolean

---@alias lofi.PlaylistCallback fun(err: lofi.Error?, result: lofi.Playlist?)

---@class lofi.RadioOpts
---@field prompt? string
---@field strategy? "same_prompt"|"preset_cycle"|"random_preset"|"library"
---@field presets? string[]
---@field backend? string
---@field duration_sec? number of each track

---@class lofi.RadioState
---@field active boolean
---@field strategy string
---@field prompt? string
---@field preset? string
---@field backend? string
---@field next_track_id? string
---@field generating boolean
---@field message? string

---@class lofi.Preset
---@field name string
---@field prompt string
---@field bpm? integer
---@field keyscale? string

---@class lofi.Device
---@field id string
---@field name string
---@field is_default boolean
---@field output string

---@class lofi.Devices
---@field devices lofi.Device[]
---@field current? string id of the one that plays
---@field chosen string id of the one that was chosen; "" = the system's default

---@class lofi.FocusState
---@field active boolean
---@field phase? "work"|"break"
---@field ends_in_sec? number
---@field round? integer
---@field rounds? integer

--- One thing that the daemon found out about its installation.
---@class lofi.Finding
---@field section string
---@field level "ok"|"info"|"warn"|"error"
---@field text string
---@field advice string[] the steps that mend it
