"""A diffusion core for ACE-Step, usable alone: it knows nothing of a daemon, a queue or a file format of ours.

    schedules     which timesteps t a run visits, from 1 (noise) to 0 (music)
    solvers       how x moves from one t to the next
    guidance      how the conditional and the unconditional velocity become one
    sampler       the loop over them, with checkpoints that resume bit for bit
    noise         where its randomness comes from
    conditioning  prompts, masks, silence, repainting, tiles: what is told to the model, and what comes after it
    v15           ACE-Step 1.5: its modules, its weights in both layouts
    native        what takes the time on a processor, in C, compiled on first use

Convention throughout (ACE-Step 1.5): x_t = t·noise + (1−t)·x0, the velocity v = noise − x0, so x̂0 = x_t − t·v.
Latents are [batch, frames, 64] at 25 frames a second; audio is stereo at 48 kHz, 1920 samples a frame.
"""
