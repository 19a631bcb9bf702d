---@meta
--- Made by scripts/gen_help.lua from the schemas; change those.

---@class lofi.Config
---@field auto_play? boolean Play a track as soon as it is finished.
---@field progress? "cmdline"|"none" Where progress is shown: one line at the bottom of the screen, or nowhere; events go on.
---@field ascii? boolean Draw icons and bars with ASCII characters only.
---@field icons? lofi.Config.Icons
---@field statusline? lofi.Config.Statusline
---@field daemon? lofi.Config.Daemon
---@field log? lofi.Config.Log
---@field default_backend? "auto"|"synth"|"musicgen"|"ace_step"|"ace_step_15" What makes the music when a request names no backend; auto takes musicgen once it is ready, else synth.
---@field device? "auto"|"cpu"|"cuda"|"mps" Where neural backends run.
---@field execution_mode? "cpu_only"|"gpu_allowed" cpu_only promises that no GPU is touched.
---@field threads? integer CPU threads for generation; 0 leaves the choice to the libraries.
---@field cache? lofi.Config.Cache
---@field player? lofi.Config.Player
---@field model_path? string Where models are kept; empty = models in the cache folder.
---@field ace_step_model_dir? string Where the ACE-Step models are; empty = ace-step in the cache folder.
---@field ace_step_default_steps? integer ACE-Step v1: diffusion steps of a request that names none.
---@field ace_step_default_scheduler? "euler"|"heun"|"pingpong" ACE-Step v1: scheduler of a request that names none.
---@field ace_step_default_guidance? number ACE-Step v1: guidance scale of a request that names none.
---@field latent_dir? string Where latents are kept; empty = latents in the cache folder.
---@field latent_ttl_hours? number Unpinned latents go after this time; 0 = at the next sweep, -1 = never.
---@field idle_unload_min? number Models leave memory after so many idle minutes; 0 = never.
---@field idle_timeout_sec? number A daemon that nobody uses any more leaves after this time.

---@class lofi.Config.Icons
---@field playing? string Statusline: before what plays.
---@field paused? string Statusline: before what is paused.
---@field generating? string Statusline: before percent and remaining time.

---@class lofi.Config.Statusline
---@field max_title? integer Statusline: the title is cut to this many columns.

---@class lofi.Config.Daemon
---@field cmd? string|string[] What starts the daemon, as a program or a list of words; `--stdio` and settings are appended. Not set: the plugin's own .venv, then lofi.nvim/venv in stdpath('data'), then PATH.

---@class lofi.Config.Log
---@field max_kb? integer The log starts afresh at this size; one older file is kept.

---@class lofi.Config.Cache
---@field dir? string Where tracks are kept; empty = lofi.nvim in the platform's cache folder.
---@field max_mb? integer Above this size the tracks not heard for longest go, favourites never; 0 = no limit.
---@field format? "flac"|"wav"|"ogg"|"mp3" The format of new tracks.

---@class lofi.Config.Player
---@field output? "auto"|"sounddevice"|"miniaudio"|"none" How sound leaves the machine; none = never.
---@field volume? number The volume to start with.

---@class lofi.GenerateOpts
---@field prompt string 1–512 characters
---@field duration_sec? number Length in seconds; in commands also minutes, as 2:30.
---@field duration? number Length in seconds; in commands also minutes, as 2:30.
---@field backend? string What makes the music: synth, musicgen, ace_step, ace_step_15.
---@field model? string Variant inside a backend, such as turbo or small.
---@field seed? integer|string The same seed and request make the same track.
---@field bpm? integer Tempo.
---@field keyscale? string Key and mode; in commands quoted if it has a space: key="D minor".
---@field key? string Key and mode; in commands quoted if it has a space: key="D minor".
---@field timesignature? string Such as 4/4.
---@field instrumental? boolean No voice.
---@field lyrics? string What is sung, for ACE-Step.
---@field vocal_language? string Language of the lyrics, for ACE-Step.
---@field batch_size? integer Tracks at once, each with the next seed.
---@field inference_steps? integer Diffusion steps, for ACE-Step.
---@field steps? integer Diffusion steps, for ACE-Step.
---@field guidance_scale? number How closely the prompt is followed, for neural backends.
---@field scheduler? string Solver, for ACE-Step.
---@field shift? number Timestep shift, for ACE-Step.
---@field guidance? string Kind of guidance, for ACE-Step.
---@field temperature? number Sampling temperature, for MusicGen.
---@field top_k? integer Sampling among the k likeliest tokens, for MusicGen.
---@field top_p? number Sampling among the likeliest tokens of this total, for MusicGen.
---@field priority? "high"|"normal"|"low" Place in the queue.
---@field auto_play? boolean Play it when it is finished; as in setup().
---@field play? boolean Play it when it is finished; as in setup().
